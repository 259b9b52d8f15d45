// A chart of curves over energy, as SVG: crisp at any resolution, coloured by the page's styles.

import {html, plain, svg} from "./dom.js"

const MARGIN = {left: 66, right: 14, top: 8, bottom: 40}
const SHORT = {left: 40, right: 6, top: 4}

/**
 * @param {{xLabel?: string, yLabel?: string, label: string, small?: boolean}} options `label` is for screen readers
 */
export function makeChart({xLabel = "", yLabel = "", label, small = false}) {
  const margin = small ? {...SHORT, bottom: xLabel ? 34 : 20} : MARGIN
  const grid = svg("g", {class: "grid"})
  const ticks = svg("g", {class: "ticks"})
  const xTitle = svg("text", {class: "title", "text-anchor": "middle", text: xLabel})
  const yTitle = svg("text", {class: "title", "text-anchor": "middle", text: yLabel})
  const clip = svg("rect")
  const clipId = `clip-${Math.random().toString(36).slice(2)}`
  const curves = svg("g", {class: "curves", "clip-path": `url(#${clipId})`})
  const cursor = svg("line", {class: "cursor", visibility: "hidden"})
  const marks = svg("g", {class: "marks"})
  const drawing = svg(
    "svg", {role: "img", "aria-label": label},
    svg("defs", {}, svg("clipPath", {id: clipId}, clip)), grid, ticks, xTitle, yTitle, curves, cursor, marks,
  )
  const element = html("div", {class: small ? "chart small" : "chart"}, drawing)
  const range = {x: [0, 1], y: [0, 1]}
  const size = {width: 0, height: 0}
  let energyShown = null
  let pixels = []

  const right = () => size.width - margin.right
  const bottom = () => size.height - margin.bottom
  const toX = x => margin.left + ((x - range.x[0]) / (range.x[1] - range.x[0])) * (right() - margin.left)
  const toY = y => bottom() - ((y - range.y[0]) / (range.y[1] - range.y[0])) * (bottom() - margin.top)

  /** Pixel of every energy, kept as long as energies, range and size stay. */
  function columns(energy) {
    if (energyShown !== energy) {
      energyShown = energy
      pixels = Array.from(energy, value => toX(value).toFixed(1))
    }
    return pixels
  }

  function points(energy, values) {
    const x = columns(energy)
    const [low, high] = range.y
    const base = bottom()
    const scale = (base - margin.top) / (high - low)
    const out = new Array(values.length)
    for (let i = 0; i < values.length; i++) {
      out[i] = `${x[i]},${Math.round(10 * (base - (values[i] - low) * scale)) / 10}`
    }
    return out
  }

  /** Draws axes anew: for a new size or range. */
  function frame() {
    energyShown = null
    const [left, top] = [margin.left, margin.top]
    set(drawing, {width: size.width, height: size.height})
    set(clip, {x: left, y: top, width: Math.max(right() - left, 0), height: Math.max(bottom() - top, 0)})
    set(xTitle, {x: (left + right()) / 2, y: size.height - (small ? 3 : 6)})
    set(yTitle, {transform: `translate(14 ${(top + bottom()) / 2}) rotate(-90)`})
    set(cursor, {y1: top, y2: bottom()})
    grid.replaceChildren()
    ticks.replaceChildren()
    const xs = niceTicks(...range.x, small ? 3 : Math.max(2, Math.floor((right() - left) / 90)))
    for (const x of xs.values) {
      const at = toX(x)
      grid.append(svg("line", {x1: at, x2: at, y1: top, y2: bottom()}))
      ticks.append(svg("text", {x: at, y: bottom() + 16, "text-anchor": "middle", text: plain(x, xs.digits)}))
    }
    const ys = niceTicks(...range.y, small ? 3 : Math.max(3, Math.floor((bottom() - top) / 32)))
    for (const y of ys.values) {
      const at = toY(y)
      grid.append(svg("line", {class: y === 0 ? "zero" : "", x1: left, x2: right(), y1: at, y2: at}))
      ticks.append(svg("text", {x: left - 6, y: at + 4, "text-anchor": "end", text: plain(y, ys.digits)}))
    }
  }

  return {
    element,
    drawing,
    /** Whether there is room to draw in. */
    get visible() {
      return size.width > margin.left + margin.right && size.height > margin.top + margin.bottom
    },
    /** Takes the size of its place; true when that changed. */
    fit() {
      const {clientWidth: width, clientHeight: height} = element
      if (width === size.width && height === size.height) return false
      Object.assign(size, {width, height})
      if (this.visible) frame()
      return true
    },
    /** Sets what the axes span. */
    setRange(x, y) {
      if ([x, y].flat().every((value, i) => value === [range.x, range.y].flat()[i])) return
      range.x = x
      range.y = y
      if (this.visible) frame()
    },
    get yRange() {
      return range.y
    },
    /** Adds a curve or area with a class for its look. */
    addPath(name) {
      return curves.appendChild(svg("path", {class: name}))
    },
    /** Adds a dot with a class for its look. */
    addDot(name) {
      return marks.appendChild(svg("circle", {class: name, r: 4, visibility: "hidden"}))
    },
    line(path, energy, values) {
      trace(path, `M${points(energy, values).join("L")}`)
    },
    band(path, energy, low, high) {
      const back = points(energy, low).reverse()
      trace(path, `M${points(energy, high).join("L")}L${back.join("L")}Z`)
    },
    clear(path) {
      trace(path, "")
    },
    dot(circle, x, y) {
      const there = Number.isFinite(x) && Number.isFinite(y)
      circle.setAttribute("visibility", there ? "visible" : "hidden")
      if (there) set(circle, {cx: toX(x), cy: toY(y)})
    },
    /** Shows the cursor at an energy, or hides it for null. */
    showCursor(x) {
      set(cursor, x === null ? {visibility: "hidden"} : {visibility: "visible", x1: toX(x), x2: toX(x)})
    },
    /** Energy under a pointer event, or null outside the axes. */
    energyAt(event) {
      const x = event.clientX - drawing.getBoundingClientRect().left
      if (x < margin.left || x > right()) return null
      return range.x[0] + ((x - margin.left) / (right() - margin.left)) * (range.x[1] - range.x[0])
    },
  }
}

/** Gives a path its course, unless it has it already. */
function trace(path, course) {
  if (path.getAttribute("d") !== course) path.setAttribute("d", course)
}

function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
}

/** Round numbers from `low` to `high`, about `count` and if it can be three of them, and the digits they need. */
function niceTicks(low, high, count) {
  const rough = (high - low) / count
  const power = 10 ** Math.floor(Math.log10(rough))
  const steps = [0.2, 0.5, 1, 2, 5, 10].map(factor => factor * power)
  const within = step => Math.floor(high / step + 1e-9) - Math.ceil(low / step - 1e-9) + 1
  let place = steps.findIndex(value => value >= rough * 0.999)
  while (place > 0 && within(steps[place]) < Math.min(count, 3)) place--
  const step = steps[place]
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9))
  const values = []
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) values.push(i === 0 ? 0 : i * step)
  return {values, digits}
}
