// The atoms around an absorber in three dimensions. Plotly comes with Panel and is loaded from this server when needed.

import {html} from "./dom.js"

const SIZES = [17, 12, 7]
const SHELLS = ["absorber", "first shell", "beyond"]
let loading = null

function plotly(url) {
  loading ??= new Promise((resolve, reject) => {
    if (window.Plotly) return resolve(window.Plotly)
    const script = document.createElement("script")
    script.src = url
    script.onload = () => resolve(window.Plotly)
    script.onerror = () => reject(new Error("the 3-D drawing could not be loaded from the server"))
    document.head.append(script)
  })
  return loading
}

/** @param model see StructureScene in structure.py */
export function render({model}) {
  const scene = html("div", {class: "scene"})
  const said = html("p", {class: "said", role: "status"})
  const element = html("div", {class: "structure"}, scene, said)
  let drawn = null
  let waiting = false

  async function draw() {
    const {atoms} = model
    scene.hidden = !atoms.symbol
    said.textContent = atoms.symbol ? model.words : model.words || ""
    if (!atoms.symbol || waiting || !element.isConnected || !element.clientWidth) return
    waiting = true
    try {
      const library = await plotly(model.library)
      const ink = getComputedStyle(element).color
      await library.react(scene, traces(model.atoms), layout(ink, model.atoms.site), {displaylogo: false, responsive: true,
        modeBarButtons: [["toImage", "resetCameraDefault3d"]]})
      if (drawn !== scene) {
        drawn = scene
        scene.on("plotly_click", ({points}) => { if (points[0]?.customdata) said.textContent = points[0].customdata })
      }
      said.textContent = model.words
    } catch (error) {
      said.textContent = error.message
    } finally {
      waiting = false
    }
  }

  const observer = new ResizeObserver(() => { if (model.atoms.symbol) draw() })
  observer.observe(element)
  model.on("atoms", () => queueMicrotask(draw))
  model.on("words", () => { said.textContent = model.words })
  model.on("remove", () => {
    observer.disconnect()
    if (drawn) window.Plotly.purge(scene)
  })
  const theme = new MutationObserver(() => draw())
  theme.observe(document.documentElement, {attributes: true})
  model.on("remove", () => theme.disconnect())
  draw()
  return element
}

/** One trace per element and shell, so that each has its place in the legend; bonds and faces of the first shell. */
function traces({symbol, shell, position, distance, faces, colors}) {
  const groups = new Map()
  symbol.forEach((name, atom) => {
    const key = `${name} ${shell[atom]}`
    if (!groups.has(key)) groups.set(key, [])
    groups.get(key).push(atom)
  })
  const column = (rows, axis) => rows.map(row => position[row][axis])
  const out = [...groups.values()].map(rows => {
    const [name, number] = [symbol[rows[0]], shell[rows[0]]]
    const texts = rows.map(row => row === 0 ? `${name}, the absorber` :
      `${name}, ${SHELLS[number]}, ${distance[row].toFixed(3)} Å from the absorber`)
    return {
      type: "scatter3d", mode: "markers", name: `${name}, ${SHELLS[number]}`, legendrank: number,
      x: column(rows, 0), y: column(rows, 1), z: column(rows, 2), text: texts, customdata: texts,
      hovertemplate: "%{text}<extra></extra>",
      marker: {size: SIZES[number], color: colors[name], opacity: number === 2 ? 0.75 : 1, line: {width: 1, color: "#444"}},
    }
  })
  const first = shell.flatMap((number, atom) => (number === 1 ? [atom] : []))
  const bonds = axis => first.flatMap(atom => [0, position[atom][axis], null])
  out.push({type: "scatter3d", mode: "lines", x: bonds(0), y: bonds(1), z: bonds(2), hoverinfo: "skip", showlegend: false,
    line: {width: 5, color: "#8a8f98"}})
  if (faces.length) {
    const all = symbol.map((_, atom) => atom)
    out.push({type: "mesh3d", x: column(all, 0), y: column(all, 1), z: column(all, 2), i: faces.map(f => f[0]),
      j: faces.map(f => f[1]), k: faces.map(f => f[2]), color: colors[symbol[0]], opacity: 0.22, hoverinfo: "skip",
      flatshading: true, name: "polyhedron"})
  }
  return out
}

function layout(ink, site) {
  const axis = {visible: false, showspikes: false}
  return {
    margin: {l: 0, r: 0, t: 0, b: 0}, paper_bgcolor: "rgba(0,0,0,0)", font: {color: ink, size: 12}, uirevision: site,
    scene: {xaxis: axis, yaxis: axis, zaxis: axis, aspectmode: "data", camera: {eye: {x: 1.1, y: 1.1, z: 0.7}}},
    legend: {orientation: "h", x: 0, y: 0, yanchor: "top", itemclick: false, itemdoubleclick: false, bgcolor: "rgba(0,0,0,0)"},
    hoverlabel: {namelength: 0},
  }
}
