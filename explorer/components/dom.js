// Elements by small helpers. Text from data is always set as text, never as markup.

const SVG = "http://www.w3.org/2000/svg"

/**
 * @param {string} tag HTML element
 * @param {Object<string, *>} attributes attributes; `onclick` and the like are listeners, `text` is its text
 * @param {...Node} children
 */
export function html(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children)
}

/** As `html`, for SVG elements. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children)
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value)
    else if (name === "text") element.textContent = value
    else element.setAttribute(name, value)
  }
  element.append(...children)
  return element
}

const ICONS = {
  play: "M8 5v14l11-7z",
  pause: "M6 5h4v14H6zM14 5h4v14h-4z",
  reset: "M12 5V1L7 6l5 5V7a5 5 0 1 1-5 5H5a7 7 0 1 0 7-7z",
  open: "M12 17a2 2 0 1 0 0-4 2 2 0 0 0 0 4zm6-9h-8V6a2 2 0 0 1 4 0h2a4 4 0 0 0-8 0v2H6v12h12z",
  locked: "M12 17a2 2 0 1 0 0-4 2 2 0 0 0 0 4zm6-9h-2V6a4 4 0 0 0-8 0v2H6v12h12zm-8 0V6a2 2 0 0 1 4 0v2z",
}

/**
 * A small button with an icon.
 * @returns {HTMLButtonElement & {show: (icon: string, label: string, pressed?: boolean) => void}}
 */
export function iconButton(icon, label, onclick) {
  const path = svg("path")
  const button = html("button", {type: "button", class: "icon", onclick}, svg("svg", {viewBox: "0 0 24 24"}, path))
  button.show = (name, words, pressed) => {
    path.setAttribute("d", ICONS[name])
    button.setAttribute("aria-label", words)
    button.title = words
    if (pressed !== undefined) button.setAttribute("aria-pressed", String(pressed))
  }
  button.show(icon, label)
  return button
}

/** A number with its sign, a proper minus included. */
export function signed(value, digits) {
  const text = Math.abs(value).toFixed(digits)
  return Number(text) === 0 ? text : (value < 0 ? "−" : "+") + text
}

/** A number with a proper minus. */
export function plain(value, digits) {
  return value.toFixed(digits).replace("-", "−")
}
