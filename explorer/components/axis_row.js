// One latent axis: what it follows, its slider, its buttons.

import {html, iconButton, plain, svg} from "./dom.js"

const STEP = 0.01
const ARROW_STEP = 0.05

/**
 * @param {object} axis see `Axis` in member.py
 * @param {{move: Function, release: Function, sweep: Function}} on `move(value, final)` while the axis moves,
 *   `release()` when the slider is let go, `sweep()` when sweeping starts or ends
 */
export function makeAxisRow(axis, on) {
  const value = html("span", {class: "value"})
  const sites = html("span", {class: "sites"})
  if (axis.levels) sites.title = `Mean ${axis.name} of the training sites at this level of the axis`
  const slider = html("input", {
    type: "range", min: axis.low, max: axis.high, step: STEP, "aria-label": `${axis.name}, ${axis.score}`,
  })
  const row = {element: null, locked: false, sweeping: false, held: false, phase: null, show, sweep}
  const play = iconButton("play", `Sweep ${axis.name}`, () => { sweep(!row.sweeping); on.sweep() })
  const reset = iconButton("reset", `Reset ${axis.name} to 0`, () => { stop(); on.move(0, true) })
  const lock = iconButton("open", `Lock ${axis.name}`, () => {
    row.locked = !row.locked
    lock.show(row.locked ? "locked" : "open", `${row.locked ? "Unlock" : "Lock"} ${axis.name}`, row.locked)
    if (row.locked) stop()
    slider.disabled = play.disabled = reset.disabled = row.locked
  })
  lock.setAttribute("aria-pressed", "false")

  slider.addEventListener("input", () => { stop(); on.move(slider.valueAsNumber, false) })
  slider.addEventListener("pointerdown", () => { row.held = true })
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
    slider.addEventListener(name, () => {
      if (!row.held) return
      row.held = false
      on.release()
    })
  }
  slider.addEventListener("keydown", event => {
    const way = {ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1}[event.key]
    if (!way || event.ctrlKey || event.altKey || event.metaKey) return
    event.preventDefault()
    stop()
    const next = slider.valueAsNumber + way * (event.shiftKey ? STEP : ARROW_STEP)
    on.move(Math.min(Math.max(Number(next.toFixed(2)), axis.low), axis.high), false)
  })

  const place = level => `${(100 * (level - axis.low)) / (axis.high - axis.low)}%`
  const mark = (level, text) => {
    const line = html("i", {class: "mark"}, html("small", {text}))
    line.style.left = place(level)
    return line
  }
  const beyond = (from, to) => {
    const shade = html("i", {class: "beyond"})
    shade.style.left = place(from)
    shade.style.right = `calc(100% - ${place(to)})`
    return shade
  }
  const arrow = {1: " ↗", "-1": " ↘"}[axis.direction] ?? ""
  row.element = html("div", {class: "axis", role: "group", "aria-label": `Axis ${axis.name}`},
    html("div", {class: "line"},
      html("span", {class: "name", text: axis.symbol + arrow, title: axis.title}),
      html("span", {class: "score", text: axis.score, title: axis.scoreTitle}), sites, value, play, reset, lock),
    html("div", {class: "track"},
      html("div", {class: "scale"}, density(axis.density), beyond(axis.low, axis.q5), beyond(axis.q95, axis.high),
        mark(axis.q5, "5 %"), mark(axis.q95, "95 %")),
      slider))
  return row

  function stop() {
    if (row.sweeping) {
      sweep(false)
      on.sweep()
    }
  }

  function sweep(start) {
    row.sweeping = start && !row.locked
    play.show(row.sweeping ? "pause" : "play", `${row.sweeping ? "Pause" : "Sweep"} ${axis.name}`, row.sweeping)
  }

  function show(level) {
    slider.value = level
    value.textContent = plain(level, 2)
    sites.textContent = axis.levels ? `≈ ${describe(axis, level)}` : ""
    slider.setAttribute("aria-valuetext", `${plain(level, 2)}${axis.levels ? `, ${describe(axis, level)}` : ""}`)
  }
}

/** The descriptor's value at a level with its unit: the sites' mean there, linear between the known levels. */
function describe(axis, level) {
  const {z, mean} = axis.levels
  let i = 0
  while (i < z.length - 2 && z[i + 1] < level) i++
  const share = Math.min(Math.max((level - z[i]) / (z[i + 1] - z[i]), 0), 1)
  const value = mean[i] + share * (mean[i + 1] - mean[i])
  const largest = Math.max(...mean.map(Math.abs))
  const digits = [100, 10, 1].findIndex(limit => largest >= limit)
  return `${plain(value, digits < 0 ? 3 : digits)}${axis.unit ? ` ${axis.unit}` : ""}`
}

/** How many training sites lie at each level, as an area behind the slider. */
function density(counts) {
  const most = Math.max(...counts, 1)
  const points = counts.map((count, i) => `${(100 * (i + 0.5)) / counts.length},${20 - (18 * count) / most}`)
  const d = counts.length ? `M0,20L${points.join("L")}L100,20Z` : ""
  return svg("svg", {class: "density", viewBox: "0 0 100 20", preserveAspectRatio: "none", "aria-hidden": "true"},
    svg("path", {d}))
}
