// What stands in the header: undo, redo, share, export, help; the dialogs behind them, the keyboard and the first tour.

import {html, svg} from "./dom.js"
import {saveText, visibleFigures} from "./figures.js"
import {makeTour, tourTaken} from "./tour.js"

const PATHS = {
  undo: "M12.5 8c-2.65 0-5.05.99-6.9 2.6L2 7v9h9l-3.62-3.62A8 8 0 0 1 20.1 16l2.37-.78A10.5 10.5 0 0 0 12.5 8z",
  redo: "M18.4 10.6A10.5 10.5 0 0 0 1.54 15.22L3.9 16a8 8 0 0 1 12.72-3.62L13 16h9V7z",
}
const YEAR = 365 * 24 * 3600

/** What the toolbar can show of the server's view, and what it asks of it; see Toolbar in toolbar.py. */
export function render({model}) {
  const ask = message => model.send_msg(message)
  const undo = iconOf("undo", "Undo", () => ask({do: "undo"}))
  const redo = iconOf("redo", "Redo", () => ask({do: "redo"}))
  const share = shareDialog(ask)
  const exporting = exportDialog(ask, model)
  const help = helpDialog(model, () => tour.start())
  const tour = makeTour()
  const buttons = html(
    "div", {class: "buttons"}, undo, redo, word("Share", share.open), word("Export", exporting.open),
    word("Help", help.open),
  )
  const element = html("div", {class: "toolbar"}, buttons, share.element, exporting.element, help.element, tour.element)

  const steps = () => {
    undo.disabled = !model.can_undo
    redo.disabled = !model.can_redo
  }
  // The tab that was used last is the one that the next visit goes on with.
  const remember = () => {
    if (model.session && !document.hidden) document.cookie = `rankaae-session=${model.session}; path=/; max-age=${YEAR}; samesite=strict`
  }
  model.on("can_undo", steps)
  model.on("can_redo", steps)
  model.on("session", remember)
  model.on("msg:custom", message => {
    const {link, file, failed, reported} = message.data ?? message
    if (link !== undefined) share.show(link)
    if (file) saveText(file.name, Uint8Array.from(atob(file.content), c => c.charCodeAt(0)), file.type)
    if (file || failed !== undefined) exporting.done(failed)
    if (reported !== undefined) exporting.reported(reported)
  })

  function pressed(event) {
    const target = event.composedPath()[0]
    const writes = target instanceof Element && (target.isContentEditable ||
      target.matches("textarea, select, input:not([type=range], [type=checkbox], [type=radio], [type=button])"))
    if (event.defaultPrevented || writes || element.querySelector("dialog[open]")) return
    const command = event.ctrlKey || event.metaKey
    if (command && !event.altKey && event.key.toLowerCase() === "z") ask({do: event.shiftKey ? "redo" : "undo"})
    else if (command && !event.altKey && event.key.toLowerCase() === "y") ask({do: "redo"})
    else if (command || event.altKey) return
    else if (event.key === "?") help.open()
    else if (/^[1-9]$/.test(event.key) && Number(event.key) <= model.parts.length) {
      ask({do: "part", number: Number(event.key)})
    } else return
    event.preventDefault()
  }
  document.addEventListener("keydown", pressed)
  document.addEventListener("visibilitychange", remember)
  window.addEventListener("focus", remember)
  model.on("remove", () => {
    document.removeEventListener("keydown", pressed)
    document.removeEventListener("visibilitychange", remember)
    window.removeEventListener("focus", remember)
  })
  steps()
  remember()
  if (!tourTaken()) tour.startWhenReady()
  return element
}

function iconOf(name, label, onclick) {
  const icon = svg("svg", {viewBox: "0 0 24 24"}, svg("path", {d: PATHS[name]}))
  return html("button", {type: "button", class: "icon", "aria-label": label, title: label, onclick}, icon)
}

function word(text, onclick) {
  return html("button", {type: "button", text, onclick})
}

/** A dialog with a title and a close button. */
function dialogOf(title, ...content) {
  const close = html("button", {type: "button", class: "close", "aria-label": "Close", text: "×"})
  const element = html("dialog", {"aria-label": title}, html("h2", {text: title}), close, ...content)
  close.addEventListener("click", () => element.close())
  element.addEventListener("click", event => { if (event.target === element) element.close() })
  return element
}

function shareDialog(ask) {
  const field = html("input", {type: "text", readonly: "", "aria-label": "Link to this view"})
  const said = html("span", {class: "said", role: "status"})
  const copy = html("button", {type: "button", class: "main", text: "Copy link"})
  const element = dialogOf(
    "Share this view",
    html("p", {text: "The link opens the same set, model, member, latent point, descriptors, map and part of the page, " +
      "where this program runs with the same sets and models."}),
    html("div", {class: "row"}, field, copy), said,
  )
  copy.addEventListener("click", async () => {
    field.select()
    try {
      await navigator.clipboard.writeText(field.value)
      said.textContent = "Copied."
    } catch {
      said.textContent = document.execCommand("copy") ? "Copied." : "Press Ctrl+C to copy it."
    }
  })
  return {
    element,
    open: () => ask({do: "share"}),
    show: query => {
      field.value = location.origin + location.pathname + query
      said.textContent = ""
      element.showModal()
      field.select()
    },
  }
}

const RESULTS = [
  ["spectrum", "Spectrum at this latent point"],
  ["traversal", "Traversal of one axis, as the command rankaae traverse"],
  ["differentials", "Differential spectra of all axes, with their overlap"],
  ["latents", "Latent points of all sites of the set"],
]

function exportDialog(ask, model) {
  const what = html("select", {"aria-label": "Numbers"}, ...RESULTS.map(([value, text]) => html("option", {value, text})))
  const axis = html("select", {"aria-label": "Axis"})
  const form = html(
    "select", {"aria-label": "Format"}, html("option", {value: "csv", text: "CSV"}), html("option", {value: "h5", text: "HDF5"}),
  )
  const get = html("button", {type: "button", class: "main", text: "Download"})
  const said = html("p", {class: "said", role: "status"})
  const asked = html("span", {class: "said", role: "status"})
  const report = word("Make report", () => {
    asked.textContent = "Being made …"
    ask({do: "report"})
  })
  const figures = html("div", {class: "figures"})
  const file = html("input", {type: "file", accept: ".json,application/json", "aria-label": "Session file", hidden: ""})
  const numbers = html("div", {class: "row"}, what, axis, form, get)
  const none = html("p", {text: "No model is open."})
  const element = dialogOf(
    "Export",
    html("h3", {text: "Numbers, with where they come from"}), numbers, none, said,
    html("h3", {text: "Report"}),
    html("p", {text: "All about this model in one HTML file that opens without a network: data, settings, scores beside " +
      "baselines, figures, method. It takes some minutes; it is downloaded when it is finished, also when this is closed."}),
    html("div", {class: "row"}, report, asked),
    html("h3", {text: "Figures that are in view"}), figures,
    html("h3", {text: "Session"}),
    html("p", {text: "Where you are, the journal and your notes as a file, to go on with elsewhere or later."}),
    html(
      "div", {class: "row"},
      word("Save session", () => ask({do: "save"})),
      word("Open session …", () => file.click()),
      word("Save journal as Python script", () => ask({do: "script"})),
    ),
    file,
  )
  what.addEventListener("change", () => { axis.hidden = what.value !== "traversal" })
  get.addEventListener("click", () => {
    get.disabled = true
    said.textContent = "Being computed …"
    ask({do: "export", what: what.value, axis: axis.value, form: form.value})
  })
  file.addEventListener("change", async () => {
    const chosen = file.files[0]
    file.value = ""
    if (!chosen) return
    if (chosen.size > 4e6) said.textContent = "A session file has at most 4 MB."
    else {
      ask({do: "open", text: await chosen.text()})
      element.close()
    }
  })
  let listed = null
  function list() {
    const found = visibleFigures()
    const seen = found.map(({element}) => element)
    if (listed?.length === seen.length && listed.every((element, place) => element === seen[place])) return
    listed = seen
    figures.replaceChildren(...found.map(({title, save}) => html(
      "div", {class: "row"}, html("span", {class: "name", text: title}),
      ...Object.entries(save).map(([kind, go]) => word(kind.toUpperCase(), async () => {
        try {
          await go()
        } catch (error) {
          said.textContent = `${title}: cannot be saved (${error.message ?? error})`
        }
      })),
    )))
    if (!found.length) figures.append(html("p", {text: "There is none in this part of the page."}))
  }
  return {
    element,
    open: () => {
      const chosen = axis.value
      axis.replaceChildren(...model.axes.map(name => html("option", {value: name, text: name})))
      if (model.axes.includes(chosen)) axis.value = chosen
      axis.hidden = what.value !== "traversal"
      numbers.hidden = !model.axes.length
      none.hidden = model.axes.length > 0
      report.disabled = !model.axes.length
      said.textContent = ""
      listed = null
      list()
      element.showModal()
      const drawing = setInterval(() => element.open ? list() : clearInterval(drawing), 500)  // figures may be on their way
    },
    done: failed => {
      get.disabled = false
      said.textContent = failed ?? ""
      if (failed !== undefined) asked.textContent = ""
    },
    reported: text => { asked.textContent = text },
  }
}

function helpDialog(model, tour) {
  const keys = html("dl", {})
  const again = word("Show the tour", () => {
    element.close()
    tour()
  })
  const element = dialogOf(
    "Help",
    html("p", {text: "A model learns a few axes from labelled spectra: each rises with one descriptor that was chosen, and " +
      "free axes hold what is left. Open a set (Data), choose descriptors, train a model, and move along its axes (Latent)."}),
    keys, again,
  )
  return {
    element,
    open: () => {
      const rows = [
        [`1 to ${model.parts.length}`, model.parts.join(", ")],
        ["← →", "move the slider that has the focus, with Shift in small steps"],
        ["Tab", "to the next control"],
        ["Ctrl+Z, Ctrl+Shift+Z", "undo, redo"],
        ["?", "this help"],
      ]
      keys.replaceChildren(...rows.flatMap(([key, text]) => [html("dt", {text: key}), html("dd", {text})]))
      element.showModal()
    },
  }
}
