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
  const legend = html("div", {class: "legend"})
  const said = html("p", {class: "said", role: "status"})
  const element = html("div", {class: "structure"}, scene, legend, said)
  let drawn = null
  let busy = false

  /** Draws the atoms once there is room for them; what comes in meanwhile is drawn next. */
  async function draw() {
    scene.hidden = legend.hidden = !model.atoms.symbol
    said.textContent = model.words
    if (busy) return
    busy = true
    try {
      while (model.atoms.symbol && model.atoms !== drawn && element.clientWidth) {
        const {atoms} = model
        const library = await plotly(model.library)
        const drawing = traces(atoms)
        await library.react(scene, drawing, layout(atoms.site), {displayModeBar: false, responsive: true})
        legend.replaceChildren(...drawing.filter(({mode}) => mode === "markers").map(({name, marker}) => {
          const dot = html("i", {class: "dot"})
          dot.style.cssText = `width: ${marker.size}px; height: ${marker.size}px; background: ${marker.color}`
          return html("span", {}, dot, html("span", {text: name}))
        }))
        if (!drawn) scene.on("plotly_click", ({points}) => { said.textContent = points[0]?.customdata ?? model.words })
        drawn = atoms
      }
    } catch (error) {
      said.textContent = error.message
    } finally {
      busy = false
    }
  }

  const observer = new ResizeObserver(() => { if (model.atoms !== drawn && !busy) draw() })
  observer.observe(element)
  model.on("atoms", () => queueMicrotask(draw))
  model.on("words", () => { said.textContent = model.words })
  model.on("remove", () => {
    observer.disconnect()
    if (drawn) window.Plotly.purge(scene)
  })
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
      type: "scatter3d", mode: "markers", name: `${name}, ${SHELLS[number]}`,
      x: column(rows, 0), y: column(rows, 1), z: column(rows, 2), text: texts, customdata: texts,
      hovertemplate: "%{text}<extra></extra>",
      marker: {size: SIZES[number], color: colors[name], opacity: number === 2 ? 0.75 : 1, line: {width: 1, color: "#444"}},
    }
  })
  const first = shell.flatMap((number, atom) => (number === 1 ? [atom] : []))
  const bonds = axis => first.flatMap(atom => [0, position[atom][axis], null])
  out.push({type: "scatter3d", mode: "lines", x: bonds(0), y: bonds(1), z: bonds(2), hoverinfo: "skip",
    line: {width: 5, color: "#8a8f98"}})
  if (faces.length) {
    const all = symbol.map((_, atom) => atom)
    out.push({type: "mesh3d", x: column(all, 0), y: column(all, 1), z: column(all, 2), i: faces.map(f => f[0]),
      j: faces.map(f => f[1]), k: faces.map(f => f[2]), color: colors[symbol[0]], opacity: 0.22, hoverinfo: "skip",
      flatshading: true, name: "polyhedron"})
  }
  return out
}

function layout(site) {
  const axis = {visible: false, showspikes: false}
  return {
    margin: {l: 0, r: 0, t: 0, b: 0}, paper_bgcolor: "rgba(0,0,0,0)", showlegend: false, uirevision: site,
    scene: {xaxis: axis, yaxis: axis, zaxis: axis, aspectmode: "data", camera: {eye: {x: 1.1, y: 1.1, z: 0.7}}},
    hoverlabel: {namelength: 0},
  }
}
