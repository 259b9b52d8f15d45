// Figures of the page as files, made in the browser: Bokeh figures, charts drawn as SVG, and 3-D scenes.

const LEAST = {width: 180, height: 90}
const STYLES = [
  "fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "stroke-opacity", "opacity",
  "font-family", "font-size", "font-weight", "text-anchor", "visibility", "display", "dominant-baseline",
]

/** Saves bytes or text as a file of the person's. */
export function saveText(name, content, type) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], {type}))
  const link = document.createElement("a")
  link.href = url
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}

/** @returns {{element: Element, title: string, save: Object<string, () => Promise<void>>}[]} figures in view, from the top */
export function visibleFigures() {
  const found = []
  const add = (element, title, save) => {
    const {width, height, top, left} = element.getBoundingClientRect()
    if (width >= LEAST.width && height >= LEAST.height && element.checkVisibility({visibilityProperty: true})) {
      found.push({element, top, left, title, save})
    }
  }
  for (const element of everywhere(document)) {
    if (element.matches("svg[role=img]")) {
      const title = element.getAttribute("aria-label") || "Chart"
      add(element, title, {png: () => rasterised(element, title), svg: async () => saveText(fileName(title, "svg"), standalone(element), "image/svg+xml")})
    } else if (element.matches(".js-plotly-plot")) {
      add(element, "Structure", {png: () => window.Plotly.downloadImage(element, {format: "png", scale: 2, filename: "structure"})})
    }
  }
  for (const view of bokehFigures()) {
    const title = view.model.title?.text || [view.model.below, view.model.left].map(axes => axes[0]?.axis_label).filter(Boolean).reverse().join(" over ") || "Figure"
    add(view.el, title, {png: () => drawn(view, title, "png"), svg: () => drawn(view, title, "svg")})
  }
  found.sort((a, b) => a.top - b.top || a.left - b.left)
  return found.map(({element, title, save}, place) => ({element, title: `${place + 1}. ${title}`, save}))
}

function fileName(title, ending) {
  return `${title.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 50) || "figure"}.${ending}`
}

/** Every element below `root`, those in shadow roots included. */
export function* everywhere(root) {
  for (const element of root.querySelectorAll("*")) {
    yield element
    if (element.shadowRoot) yield* everywhere(element.shadowRoot)
  }
}

function* bokehFigures() {
  const seen = new Set()
  function* walk(view) {
    if (!view || seen.has(view)) return
    seen.add(view)
    if (view.model?.type === "Figure" || view.model?.type === "Plot") yield view
    else for (const child of [...(view.child_views ?? []), ...(view._child_views?.values?.() ?? [])]) yield* walk(child)
  }
  for (const view of window.Bokeh.index.roots ?? Object.values(window.Bokeh.index)) yield* walk(view)
}

async function drawn(view, title, kind) {
  const blob = await view.export(kind, true).to_blob()
  saveText(fileName(title, kind), blob)
}

/** An SVG of the page as a file of its own: what styles give it is written into it, on the page's background. */
function standalone(drawing) {
  const {width, height} = drawing.getBoundingClientRect()
  const copy = drawing.cloneNode(true)
  const originals = [drawing, ...drawing.querySelectorAll("*")]
  const copies = [copy, ...copy.querySelectorAll("*")]
  originals.forEach((original, place) => {
    const style = getComputedStyle(original)
    for (const name of STYLES) {
      const value = style.getPropertyValue(name)
      if (value) copies[place].setAttribute(name, value)
    }
  })
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg")
  copy.setAttribute("width", width)
  copy.setAttribute("height", height)
  copy.setAttribute("viewBox", `0 0 ${width} ${height}`)
  const paper = document.createElementNS("http://www.w3.org/2000/svg", "rect")
  paper.setAttribute("width", "100%")
  paper.setAttribute("height", "100%")
  paper.setAttribute("fill", getComputedStyle(document.body).getPropertyValue("--mui-palette-background-paper") || "white")
  copy.prepend(paper)
  return new XMLSerializer().serializeToString(copy)
}

async function rasterised(drawing, title) {
  const {width, height} = drawing.getBoundingClientRect()
  const image = new Image()
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(standalone(drawing))}`
  await image.decode()
  const canvas = document.createElement("canvas")
  canvas.width = 2 * width
  canvas.height = 2 * height
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height)
  saveText(fileName(title, "png"), await new Promise(resolve => canvas.toBlob(resolve, "image/png")))
}
