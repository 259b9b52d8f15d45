// The guided tour of a first visit: a card beside each of a few places, which leaves the page usable meanwhile.

import {everywhere} from "./figures.js"
import {html} from "./dom.js"

const TAKEN = "rankaae-tour"
const STEPS = [
  [".player .axis", "Move a slider",
    "This is a trained model. Each slider is one axis of what it has learned; drag it, or use the arrow keys, and the " +
    "spectrum follows. Most axes follow a descriptor of the structure, a free one what is left."],
  [".player .chart", "See what changes",
    "The spectrum at this point over the one you started from, and below it the difference. Marks tell how well an axis " +
    "follows its descriptor, and whether training spectra are near."],
  [".place", "Set, model, member",
    "What is open. Your own sets come in under Data, are trained under Train, and are found here afterwards."],
  ["[role=tablist]", "The parts of the page",
    "From spectra to descriptors, training, the latent axes and comparisons. The number keys switch between them."],
  [".buttons", "Nothing is lost",
    "Undo takes any step back, Share gives a link to what you see, Export gives numbers, figures and your session. " +
    "The journal and 3-D clusters are in the drawer at the far right. Press ? for help."],
]

/** Whether the tour was seen or skipped in this browser before. */
export function tourTaken() {
  try {
    return localStorage.getItem(TAKEN) !== null
  } catch {
    return true
  }
}

export function makeTour() {
  const title = html("h3")
  const text = html("p")
  const count = html("span", {class: "count"})
  const back = html("button", {type: "button", text: "Back", onclick: () => show(at - 1)})
  const skip = html("button", {type: "button", text: "Skip", onclick: () => end()})
  const next = html("button", {type: "button", class: "main", onclick: () => (at + 1 < steps.length ? show(at + 1) : end())})
  const frame = html("div", {class: "frame"})
  const card = html("div", {class: "card", role: "dialog", "aria-label": "Tour"}, title, text,
    html("div", {class: "row"}, count, skip, back, next))
  const element = html("div", {class: "tour", popover: "manual"}, frame, card) // above whatever the page lays over itself
  let steps = STEPS
  let at = 0

  function find(selector) {
    for (const found of everywhere(document)) {
      if (found.matches(selector) && found.checkVisibility() && found.getBoundingClientRect().width) return found
    }
    return null
  }

  function show(place) {
    at = place
    const [selector, head, words] = steps[at]
    title.textContent = head
    text.textContent = words
    count.textContent = `${at + 1} of ${steps.length}`
    next.textContent = at + 1 < steps.length ? "Next" : "Done"
    back.disabled = at === 0
    put(find(selector))
    next.focus({preventScroll: true})
  }

  /** Frames the place and puts the card below it, or beside it where there is no room below. */
  function put(target) {
    const {left, top, right, bottom, width, height} = target?.getBoundingClientRect() ??
      {left: innerWidth / 2, right: innerWidth / 2, top: 80, bottom: 80, width: 0, height: 0}
    Object.assign(frame.style, {left: `${left - 4}px`, top: `${top - 4}px`, width: `${width + 8}px`, height: `${height + 8}px`})
    const {width: wide, height: high} = card.getBoundingClientRect()
    const below = bottom + 16 + high < innerHeight
    const x = below ? left : right + 16 + wide < innerWidth ? right + 16 : left - 16 - wide
    card.style.left = `${Math.max(8, Math.min(x, innerWidth - wide - 8))}px`
    card.style.top = `${Math.max(8, Math.min(below ? bottom + 16 : top, innerHeight - high - 52))}px`
  }

  function end() {
    element.hidePopover()
    try {
      localStorage.setItem(TAKEN, "taken")
    } catch {
      // without a store the tour comes again, which does no harm
    }
  }

  function start() {
    steps = STEPS.filter(([selector]) => find(selector))
    if (!steps.length) return
    if (!element.matches(":popover-open")) element.showPopover()
    show(0)
  }

  card.addEventListener("keydown", event => { if (event.key === "Escape") end() })
  return {
    element,
    start,
    /** Starts once a model's sliders are there; a first visit without a model has no tour yet. */
    startWhenReady(tries = 60) {
      if (find(".player .axis")) start()
      else if (tries > 0) setTimeout(() => this.startWhenReady(tries - 1), 500)
    },
  }
}
