// Spectral descriptors of the decoded spectrum, and how far each is from the baseline's.

import {html, plain, signed} from "./dom.js"
import {FEATURES, spectralDescriptors} from "./features.js"

/** A strip of readouts. */
export function makeReadouts() {
  const cells = FEATURES.map(({title, key}) => {
    const value = html("span", {class: "reading"})
    const change = html("span", {class: "change", title: "now − baseline"})
    const what = html("span", {class: "what", text: title})
    return {value, change, element: html("div", {title: key}, what, value, change)}
  })
  const element = html("div", {class: "readouts", role: "group", "aria-label": "Spectral descriptors"},
    ...cells.map(cell => cell.element))
  return {
    element,
    /** Shows the descriptors of `now` and returns them. */
    show(energies, now, base) {
      const found = spectralDescriptors(energies, now)
      const before = spectralDescriptors(energies, base)
      FEATURES.forEach(({key, unit, digits}, i) => {
        const there = Number.isFinite(found[key])
        const change = found[key] - before[key]
        write(cells[i].value, there ? `${plain(found[key], digits)}${unit && ` ${unit}`}` : "none")
        write(cells[i].change, Number.isFinite(change) ? `Δ ${signed(change, digits)}` : "")
      })
      return found
    },
  }
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text
}
