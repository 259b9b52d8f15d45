// The descriptor catalogue as a table to filter and to click a descriptor set from, in the order of the clicks.

import {html} from "./dom.js"

const COLUMNS = ["", "Descriptor", "Meaning", "Unit", "Known", "Range"]

export function render({model}) {
  const chips = html("div", {class: "chips", role: "list", "aria-label": "Descriptor set"})
  const search = html("input", {
    type: "search", placeholder: "Filter by name, meaning or reference", "aria-label": "Filter", oninput: fill,
  })
  const only = html("input", {type: "checkbox", onchange: fill})
  const body = html("tbody")
  const head = html("tr", {}, ...COLUMNS.map(text => html("th", {text, scope: "col"})))
  const scroll = html("div", {class: "scroll"}, html("table", {}, html("thead", {}, head), body))
  const element = html("div", {class: "descriptors"}, chips,
    html("div", {class: "tools"}, search, html("label", {}, only, "in this set only")), scroll)
  model.on("rows", () => queueMicrotask(show)) // chosen, where it is of the same update, comes right after it
  model.on("chosen", show)
  show()
  return element

  function show() {
    chips.replaceChildren(...(model.chosen.length ? model.chosen.map(chip) : [hint()]))
    fill()
  }

  function hint() {
    return html("span", {class: "soft", text: "No descriptor chosen: click rows below, in the order of the axes."})
  }

  function chip(name, place) {
    const earlier = html("button", {
      type: "button", "aria-label": `Move ${name} one axis up`, title: "Earlier axis", text: "‹",
      onclick: () => swap(place),
    })
    earlier.disabled = place === 0
    const remove = html("button", {
      type: "button", "aria-label": `Remove ${name}`, title: "Take out", text: "×", onclick: () => toggle(name),
    })
    return html("span", {class: "chip", role: "listitem"}, earlier,
      html("b", {text: String(place + 1)}), html("span", {class: "name", text: name}), remove)
  }

  function fill() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean)
    const rows = model.rows.filter(row => (!only.checked || row.here) && words.every(word => textOf(row).includes(word)))
    const top = scroll.scrollTop
    body.replaceChildren(...(rows.length ? rows.map(line) : [html("tr", {},
      html("td", {colspan: COLUMNS.length, class: "soft", text: model.rows.length ? "Nothing fits the filter." : ""}))]))
    scroll.scrollTop = top
  }

  function textOf(row) {
    return [row.name, row.symbol, row.summary, row.reference, row.unit, row.kind].join(" ").toLowerCase()
  }

  function line(row) {
    const place = model.chosen.indexOf(row.name)
    const pick = html("button", {
      type: "button", class: "pick", "aria-pressed": String(place >= 0), text: place < 0 ? "+" : String(place + 1),
      "aria-label": place < 0 ? `Take ${row.name} into the set` : `Take ${row.name} out of the set`,
    })
    pick.disabled = !row.here
    const name = html("td", {class: "name"}, html("b", {text: row.name}))
    if (row.symbol !== row.name) name.append(html("small", {text: row.symbol}))
    const meaning = html("td", {class: "meaning"}, html("span", {text: row.summary}),
      html("small", {text: row.reference, title: row.reference}))
    const known = html("td", {class: "number", text: row.here ? row.known : "not in this set"})
    const range = html("td", {class: "number", text: row.range})
    const tr = html("tr", {class: [row.here ? "here" : "absent", place >= 0 ? "chosen" : ""].join(" ").trim()},
      html("td", {}, pick), name, meaning, html("td", {text: row.unit}), known, range)
    tr.title = row.here ? "" : "The open set does not hold it: import structures, or add a column of your own"
    if (row.here) tr.addEventListener("click", () => toggle(row.name))
    return tr
  }

  function toggle(name) {
    model.chosen = model.chosen.includes(name) ? model.chosen.filter(other => other !== name) : [...model.chosen, name]
  }

  function swap(place) {
    const next = [...model.chosen]
    next.splice(place - 1, 2, next[place], next[place - 1])
    model.chosen = next
  }
}
