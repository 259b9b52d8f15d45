// A table of sites, each with the colour of its line; a click on a row marks the site or takes the mark away.

import {html} from "./dom.js"

export function render({model}) {
  const head = html("tr")
  const body = html("tbody")
  model.on("columns", show)
  model.on("rows", () => queueMicrotask(show)) // marked, where it is of the same update, comes right after it
  model.on("marked", show)
  show()
  return html("div", {class: "site-table"}, html("table", {}, html("thead", {}, head), body))

  function show() {
    head.replaceChildren(html("th", {scope: "col", "aria-label": "Marked"}),
      ...model.columns.map(text => html("th", {text, scope: "col"})))
    const focused = body.getRootNode().activeElement?.getAttribute("aria-label")
    body.replaceChildren(...model.rows.map(line))
    if (focused) body.querySelector(`button[aria-label="${CSS.escape(focused)}"]`)?.focus()
  }

  function line({site, color, cells}) {
    const marked = model.marked.includes(site)
    const mark = html("button", {type: "button", "aria-label": `Mark ${site}`, "aria-pressed": String(marked)})
    mark.style.setProperty("--line", color)
    return html("tr", {
      class: marked ? "marked" : "", title: marked ? "Marked: in selection A" : "Click to mark it: into selection A",
      onclick: () => toggle(site),
    }, html("td", {}, mark), ...cells.map(text => html("td", {text, title: text})))
  }

  function toggle(site) {
    const {marked} = model
    model.marked = marked.includes(site) ? marked.filter(other => other !== site) : [...marked, site]
  }
}
