// The teaching page: the player with nobody behind it, traversals of every axis, and the map of training sites.

import {makeChart} from "./chart.js"
import {floatsFromBase64, makeDecoder} from "./decoder.js"
import {html} from "./dom.js"
import {makeMap} from "./map.js"
import {createPlayer} from "./player.js"

const LEVELS = 7
const LOW = [0, 114, 178], MIDDLE = [140, 144, 150], HIGH = [213, 94, 0]

/** Fills the page from the member that stands in it as JSON. */
export function start() {
  const member = JSON.parse(document.getElementById("member").textContent)
  const sites = member.sites && floatsFromBase64(member.sites.latent)
  let point = member.axes.map(() => 0)
  let map = null
  const player = createPlayer({
    moved: latent => {
      point = [...latent]
      map?.show(point)
    },
  })
  document.getElementById("player").append(player.element)
  player.load(member, point, point)
  if (sites && member.axes.length > 1) {
    map = makeMap(member.axes, sites, moved => player.setLatent(point.map((value, i) => moved[i] ?? value)))
    document.getElementById("map").append(map.element)
  }
  document.getElementById("traversals").append(...traversals(member))
  document.getElementById("theme").addEventListener("click", () => {
    const dark = getComputedStyle(document.documentElement).colorScheme === "dark"
    document.documentElement.dataset.theme = dark ? "light" : "dark"
  })
}

/** One card per axis: spectra from its 5th to its 95th percentile, the others at 0, and the difference of the ends. */
function traversals(member) {
  const decode = makeDecoder(member.weights)
  const {energies} = member
  const ends = [energies[0], energies.at(-1)]
  const cards = member.axes.map((axis, place) => {
    const levels = Array.from({length: LEVELS}, (_, i) => axis.q5 + (i / (LEVELS - 1)) * (axis.q95 - axis.q5))
    const spectra = levels.map(level => decode(member.axes.map((_, i) => (i === place ? level : 0))))
    const difference = spectra.at(-1).map((value, i) => value - spectra[0][i])
    return {axis, spectra, difference}
  })
  const every = cards.flatMap(card => card.spectra)
  const bottom = Math.min(0, ...every.map(mu => Math.min(...mu)))
  const top = Math.max(...every.map(mu => Math.max(...mu)))
  const largest = Math.max(...cards.map(card => Math.max(...card.difference.map(Math.abs))), 1e-3)
  return cards.map(({axis, spectra, difference}) => {
    const main = makeChart({label: `Spectra along ${axis.name}`, yLabel: "μ", small: true})
    const change = makeChart({
      label: `Difference along ${axis.name}`, xLabel: "Energy (eV)", yLabel: "Δμ", small: true,
    })
    main.setRange(ends, [bottom, top + 0.05 * (top - bottom)])
    change.setRange(ends, [-1.1 * largest, 1.1 * largest])
    const lines = spectra.map((_, i) => {
      const path = main.addPath("level")
      path.style.stroke = colourOf(i / (LEVELS - 1))
      return path
    })
    const areas = [change.addPath("above"), change.addPath("below")]
    const draw = () => {
      if (main.fit() && main.visible) spectra.forEach((mu, i) => main.line(lines[i], energies, mu))
      if (!change.fit() || !change.visible) return
      const zero = difference.map(() => 0)
      change.band(areas[0], energies, zero, difference.map(value => Math.max(value, 0)))
      change.band(areas[1], energies, difference.map(value => Math.min(value, 0)), zero)
    }
    new ResizeObserver(draw).observe(main.element)
    const title = html("h3", {}, axis.symbol, html("small", {text: axis.score, title: axis.scoreTitle}))
    return html("section", {class: "card"}, title, html("p", {text: axis.title}), main.element, change.element)
  })
}

/** From blue over grey to orange, for a share from 0 to 1. */
function colourOf(share) {
  const [from, to, at] = share < 0.5 ? [LOW, MIDDLE, 2 * share] : [MIDDLE, HIGH, 2 * share - 1]
  return `rgb(${from.map((value, i) => Math.round(value + at * (to[i] - value))).join(" ")})`
}
