// Where the point lies among training sites: two axes at a time; dragging moves both.

import {html, svg} from "./dom.js"

const SIZE = 320
const EDGE = 14

/**
 * @param {object[]} axes the axes of a member
 * @param {Float32Array} sites latent points, one after the other
 * @param {(values: Object<number, number>) => void} move called with the new values of the axes that are dragged
 */
export function makeMap(axes, sites, move) {
  let latent = axes.map(() => 0)
  const dots = svg("g", {class: "sites"})
  const here = svg("circle", {class: "here", r: 8})
  const drawing = svg("svg", {
    viewBox: `0 0 ${SIZE} ${SIZE}`, role: "img",
    "aria-label": "Training sites on two axes of the latent space, and the point of the sliders",
  }, svg("rect", {class: "frame", x: EDGE, y: EDGE, width: SIZE - 2 * EDGE, height: SIZE - 2 * EDGE}), dots, here)
  const across = pick("Axis across", 0)
  const up = pick("Axis up", Math.min(1, axes.length - 1))
  const place = (axis, value) => EDGE + ((value - axis.low) / (axis.high - axis.low)) * (SIZE - 2 * EDGE)

  function pick(label, index) {
    const choice = html("select", {"aria-label": label, onchange: draw},
      ...axes.map((axis, i) => html("option", {value: String(i), text: axis.symbol})))
    choice.value = String(index)
    return choice
  }

  function draw() {
    const [i, j] = [Number(across.value), Number(up.value)]
    dots.replaceChildren()
    for (let at = 0; at < sites.length; at += axes.length) {
      const [cx, cy] = [place(axes[i], sites[at + i]), SIZE - place(axes[j], sites[at + j])]
      if (Math.min(cx, cy) < EDGE || Math.max(cx, cy) > SIZE - EDGE) continue
      dots.append(svg("circle", {cx: cx.toFixed(1), cy: cy.toFixed(1), r: 2.5}))
    }
    show(latent)
  }

  function show(point) {
    latent = point
    const [i, j] = [Number(across.value), Number(up.value)]
    here.setAttribute("cx", place(axes[i], latent[i]))
    here.setAttribute("cy", SIZE - place(axes[j], latent[j]))
  }

  function drag(event) {
    if (!(event.buttons & 1)) return
    const box = drawing.getBoundingClientRect()
    const value = (axis, share) => {
      const inside = Math.min(Math.max((share * SIZE - EDGE) / (SIZE - 2 * EDGE), 0), 1)
      return axis.low + inside * (axis.high - axis.low)
    }
    const [i, j] = [Number(across.value), Number(up.value)]
    const [x, y] = [(event.clientX - box.left) / box.width, (box.bottom - event.clientY) / box.height]
    move({[j]: value(axes[j], y), [i]: value(axes[i], x)})
  }
  drawing.addEventListener("pointerdown", event => {
    drawing.setPointerCapture(event.pointerId)
    drag(event)
  })
  drawing.addEventListener("pointermove", drag)
  draw()
  const choices = html("p", {}, "across ", across, " · up ", up)
  return {element: html("div", {class: "map"}, choices, drawing), show}
}
