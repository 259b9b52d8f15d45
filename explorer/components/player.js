// The latent player: a slider per axis, the spectrum that the decoder gives there, its difference from a baseline.

import {makeAxisRow} from "./axis_row.js"
import {makeChart} from "./chart.js"
import {floatsFromBase64, makeDecoder} from "./decoder.js"
import {html, plain, signed} from "./dom.js"
import {makeReadouts} from "./readouts.js"

const TOLERANCE = 1e-4
const SWEEP_SECONDS = 6
const COMMIT_AFTER_MS = 300

/**
 * Builds a player. It owns its latent point while somebody moves it and tells others when they let go.
 *
 * @param {{commit?: Function, baseline?: Function, settings?: Function, disagreement?: Function, moved?: Function}} on
 *   `commit(latent)` after a move has ended, `baseline(latent)` and `settings(settings)` after a choice (without the
 *   latter no overlays are offered), `disagreement(value)` after a check against the server, `moved(latent)` after
 *   every redraw
 */
export function createPlayer(on = {}) {
  let member = null, decode = null, others = [], sites = null, reference = null, check = null
  let latent = [], baseline = [], now = null, base = null, low = null, high = null, end = null
  let settings = {band: false, nearest: false, difference: ""}
  let overlays = {}
  let rows = [], drawn = 0, waiting = 0, sweepFrame = 0, hover = null

  const main = makeChart({xLabel: "Energy (eV)", yLabel: "μ (edge-normalised)", label: "Decoded spectrum"})
  const paths = {
    band: main.addPath("band"), baseline: main.addPath("baseline"), reference: main.addPath("reference"),
    a: main.addPath("mean-a"), b: main.addPath("mean-b"),
    measured: main.addPath("measured"), now: main.addPath("now"),
  }
  const dots = {edge: main.addDot("dot"), main: main.addDot("dot"), post: main.addDot("dot")}
  const difference = makeChart({xLabel: "Energy (eV)", yLabel: "Δμ", label: "Differential spectrum"})
  const differencePaths = {
    above: difference.addPath("above"), below: difference.addPath("below"), line: difference.addPath("difference"),
  }
  const readouts = makeReadouts()

  const axes = html("div", {class: "axes"})
  const resetAll = button("Reset all to 0", "Move every axis that is not locked to 0", () => resetEvery())
  const pin = button("Baseline = now", "Compare with the spectrum as it is now", () => pinBaseline(latent))
  const unpin = button("Baseline = 0", "Compare with the spectrum where all axes are at 0", () => pinBaseline(null))
  const band = toggle("band", "other seeds", "Lowest to highest spectrum of the run's other members at these values; "
    + "free axes, which differ between seeds, at 0")
  const nearest = toggle("nearest", "nearest site", "Spectrum of the training site that lies nearest")
  const baselineKey = html("span", {class: "key baseline", text: "baseline"})
  const nowKey = html("span", {class: "key now", text: "decoded now"})
  const means = {
    a: html("span", {class: "key mean-a", text: "mean of A", hidden: ""}),
    b: html("span", {class: "key mean-b", text: "mean of B", hidden: ""}),
    measured: html("span", {class: "key measured", text: "measured", hidden: ""}),
  }
  const hovered = html("span", {class: "hovered"})
  const choice = html("select", {
    "aria-label": "Which difference", onchange: () => choose({difference: choice.value}),
  })
  const differenceHovered = html("span", {class: "hovered"})
  const note = html("p", {class: "note", role: "status"})
  const root = html("div", {class: "player"},
    html("div", {class: "left"}, html("div", {class: "bar"}, resetAll, pin, unpin), axes),
    html("div", {class: "right"},
      html("div", {class: "head"},
        nowKey, baselineKey, ...Object.values(means), band.label, nearest.label),
      main.element,
      html("div", {class: "head"}, choice),
      difference.element, readouts.element, note))
  main.element.classList.add("tall")
  main.element.append(hovered)
  difference.element.append(differenceHovered)

  for (const chart of [main, difference]) {
    chart.drawing.addEventListener("pointermove", event => point(chart.energyAt(event)))
    chart.drawing.addEventListener("pointerleave", () => point(null))
  }
  let resized = true
  const observer = new ResizeObserver(() => {
    resized = true
    schedule()
  })
  observer.observe(main.element)
  observer.observe(difference.element)

  function button(text, title, onclick) {
    return html("button", {type: "button", class: "text", text, title, onclick})
  }

  function toggle(key, text, title) {
    const box = html("input", {type: "checkbox", onchange: () => choose({[key]: box.checked})})
    return {box, label: html("label", {class: `key ${key}`, title}, box, html("span", {text}))}
  }

  function choose(change) {
    settings = {...settings, ...change}
    on.settings?.(settings)
    schedule()
  }

  function pinBaseline(point) {
    setBaseline(point ?? member.axes.map(() => 0))
    on.baseline?.([...baseline])
  }

  function setBaseline(point) {
    baseline = fitting(point)
    if (decode) base = decode(baseline, base ?? undefined)
    const zero = baseline.every(value => value === 0)
    unpin.disabled = zero
    baselineKey.textContent = zero ? "baseline: all axes at 0" : "baseline: pinned"
    schedule()
  }

  /** The point where it suits the member, zeros otherwise. */
  function fitting(point) {
    return member && point?.length === member.axes.length ? [...point] : (member?.axes ?? []).map(() => 0)
  }

  /** Moves one axis; what `final` says is told to others at once, other moves when they have paused. */
  function move(index, value, final) {
    latent[index] = value
    rows[index].show(value)
    schedule()
    clearTimeout(waiting)
    if (final) commit()
    else if (!rows.some(row => row.sweeping || row.held)) waiting = setTimeout(commit, COMMIT_AFTER_MS)
  }

  function commit() {
    clearTimeout(waiting)
    on.commit?.([...latent])
  }

  function resetEvery() {
    rows.forEach((row, i) => {
      if (row.locked) return
      row.sweep(false)
      latent[i] = 0
      row.show(0)
    })
    schedule()
    commit()
  }

  function setLatent(point) {
    latent = fitting(point)
    rows.forEach((row, i) => row.show(latent[i]))
    schedule()
  }

  /** Moves every sweeping axis between its 5th and 95th percentile and back. */
  function sweep(time) {
    sweepFrame = 0
    if (!main.visible) rows.forEach(row => row.sweep(false))
    rows.forEach((row, i) => {
      if (!row.sweeping) return
      const {q5, q95} = member.axes[i]
      row.phase ??= time - (Math.acos(Math.min(Math.max(1 - (2 * (latent[i] - q5)) / (q95 - q5), -1), 1))
        / (2 * Math.PI)) * 1000 * SWEEP_SECONDS
      const turn = (2 * Math.PI * (time - row.phase)) / (1000 * SWEEP_SECONDS)
      latent[i] = q5 + ((q95 - q5) * (1 - Math.cos(turn))) / 2
      row.show(latent[i])
    })
    draw()
    if (rows.some(row => row.sweeping)) sweepFrame = requestAnimationFrame(sweep)
  }

  function sweepChanged(row) {
    row.phase = null
    if (row.sweeping) sweepFrame ||= requestAnimationFrame(sweep)
    else commit()
  }

  function load(newMember, point, basePoint) {
    member = newMember
    decode = makeDecoder(member.weights)
    others = []
    reference = check = base = now = low = high = end = null
    sites = member.sites && {values: floatsFromBase64(member.sites.latent), near: member.sites.near}
    rows.forEach(row => row.sweep(false))
    rows = member.axes.map((axis, i) => makeAxisRow(axis, {
      move: (value, final) => move(i, value, final),
      release: commit,
      sweep: () => sweepChanged(rows[i]),
    }))
    axes.replaceChildren(...rows.map(row => row.element))
    const along = member.axes.map(axis => `${axis.name}: 95 % − 5 %, other axes as now`)
    choice.replaceChildren(
      html("option", {value: "", text: "Difference: now − baseline"}),
      ...along.map((text, i) => html("option", {value: String(i), text})))
    band.label.hidden = !on.settings || member.members < 2
    nearest.label.hidden = !on.settings || !member.sites
    const energies = member.energies
    main.setRange([energies[0], energies.at(-1)], member.range.mu)
    difference.setRange([energies[0], energies.at(-1)], [-member.range.difference, member.range.difference])
    setBaseline(basePoint)
    setLatent(point)
  }

  function schedule() {
    if (!drawn) drawn = requestAnimationFrame(() => { drawn = 0; draw() })
  }

  /** Decodes the point and draws everything that follows from it. */
  function draw() {
    if (resized) { // sizes are read only then: it would lay the page out once more in every frame
      main.fit()
      difference.fit()
      resized = false
    }
    if (!decode || !main.visible) return
    const energies = member.energies
    now = decode(latent, now ?? undefined)
    useCheck()
    const shown = [now, base]
    band.box.checked = settings.band
    nearest.box.checked = settings.nearest
    if (settings.band && others.length) shown.push(...envelope())
    else main.clear(paths.band)
    if (reference && settings.nearest) shown.push(reference.mu)
    else main.clear(paths.reference)
    const meansShown = Object.keys(means).filter(name => overlays[name]?.length === energies.length)
    shown.push(...meansShown.map(name => overlays[name]))
    grow(main, shown)
    for (const name of Object.keys(means)) {
      means[name].hidden = !meansShown.includes(name)
      if (means[name].hidden) main.clear(paths[name])
      else main.line(paths[name], energies, overlays[name])
    }
    if (settings.band && others.length) main.band(paths.band, energies, low, high)
    if (reference && settings.nearest) main.line(paths.reference, energies, reference.mu)
    main.line(paths.baseline, energies, base)
    nowKey.hidden = overlays.model === false
    if (nowKey.hidden) main.clear(paths.now)
    else main.line(paths.now, energies, now)
    drawDifference(energies)
    const features = readouts.show(energies, now, base)
    main.dot(dots.edge, features.E_edge, valueAt(energies, now, features.E_edge))
    main.dot(dots.main, features.E_main, features.I_main)
    main.dot(dots.post, features.E_post, features.I_post)
    say()
    point(hover)
    on.moved?.(latent)
  }

  function drawDifference(energies) {
    const values = differenceNow()
    const zero = new Float32Array(values.length)
    grow(difference, [values])
    difference.band(differencePaths.above, energies, zero, values.map(value => Math.max(value, 0)))
    difference.band(differencePaths.below, energies, values.map(value => Math.min(value, 0)), zero)
    difference.line(differencePaths.line, energies, values)
  }

  /** Now minus baseline, or what the chosen axis does from its 5th to its 95th percentile from here. */
  function differenceNow() {
    const axis = member.axes[settings.difference]
    choice.value = axis ? settings.difference : ""
    if (!axis) return now.map((value, i) => value - base[i])
    const at = level => latent.map((value, i) => (member.axes[i] === axis ? level : value))
    end = decode(at(axis.q95), end ?? undefined)
    const start = decode(at(axis.q5))
    return end.map((value, i) => value - start[i])
  }

  /** Lowest and highest spectrum of the other members. */
  function envelope() {
    const point = latent.map((value, i) => (member.axes[i].free ? 0 : value))
    low ??= new Float32Array(now.length)
    high ??= new Float32Array(now.length)
    low.fill(Infinity)
    high.fill(-Infinity)
    for (const other of others) {
      other.mu = other.decode(point, other.mu)
      for (let i = 0; i < low.length; i++) {
        if (other.mu[i] < low[i]) low[i] = other.mu[i]
        if (other.mu[i] > high[i]) high[i] = other.mu[i]
      }
    }
    return [low, high]
  }

  /** Compares with what the server found for this very point; it prevails where they differ. */
  function useCheck() {
    if (!check || check.latent.some((value, i) => value !== latent[i])) return
    if (check.difference === undefined) {
      check.difference = Math.max(...check.mu.map((value, i) => Math.abs(value - now[i])))
      on.disagreement?.(check.difference)
    }
    if (!(check.difference <= TOLERANCE)) now.set(check.mu)
  }

  /** Widens the vertical axis where a curve leaves it; it never shrinks, so that curves do not seem to jump. */
  function grow(chart, curves) {
    let [bottom, top] = chart.yRange
    for (const curve of curves) {
      for (const value of curve) {
        if (value < bottom) bottom = value - 0.1 * (top - bottom)
        if (value > top) top = value + 0.1 * (top - bottom)
      }
    }
    chart.setRange([member.energies[0], member.energies.at(-1)], [bottom, top])
  }

  function say() {
    const words = []
    if (check && !(check.difference <= TOLERANCE) && check.difference !== undefined) {
      words.push(`Server and browser differ by ${check.difference.toPrecision(2)}; the server's spectrum is shown.`)
    }
    if (sites && nearestDistance() > sites.near) words.push("No training spectra near here: the model extrapolates.")
    if (reference && settings.nearest) words.push(reference.label)
    const text = words.join(" ")
    if (note.textContent !== text) note.textContent = text
  }

  function nearestDistance() {
    const k = latent.length
    let best = Infinity
    for (let at = 0; at < sites.values.length; at += k) {
      let sum = 0
      for (let i = 0; i < k; i++) sum += (sites.values[at + i] - latent[i]) ** 2
      if (sum < best) best = sum
    }
    return Math.sqrt(best)
  }

  /** Shows energy and values at the pointer in both charts. */
  function point(energy) {
    hover = energy
    main.showCursor(energy)
    difference.showCursor(energy)
    if (energy === null || !now) {
      hovered.textContent = differenceHovered.textContent = ""
      return
    }
    const at = values => valueAt(member.energies, values, energy)
    const parts = [`${plain(energy, 2)} eV`, `μ now ${plain(at(now), 4)}`, `baseline ${plain(at(base), 4)}`]
    if (reference && settings.nearest) parts.push(`site ${plain(at(reference.mu), 4)}`)
    hovered.textContent = parts.join("   ")
    differenceHovered.textContent = `${plain(energy, 2)} eV   Δμ ${signed(at(differenceNow()), 4)}`
  }

  return {
    element: root,
    load,
    setLatent,
    setBaseline,
    /** Weights of the run's other members. */
    setOthers(members) {
      others = members.map(weights => ({decode: makeDecoder(weights), mu: undefined}))
      schedule()
    },
    /** A spectrum to compare with: {label, mu}, or {} for none. */
    setReference(spectrum) {
      reference = spectrum.mu ? spectrum : null
      schedule()
    },
    /** Which spectra to lay over one another: {model: false} hides the decoded one, {a, b, measured} are spectra. */
    setOverlays(chosen) {
      overlays = chosen
      schedule()
    },
    setSettings(changed) {
      settings = {...settings, ...changed}
      schedule()
    },
    /** What the server decoded: {latent, mu}. */
    setCheck(found) {
      check = found?.mu ? {latent: found.latent, mu: found.mu} : null
      schedule()
    },
    destroy() {
      observer.disconnect()
      cancelAnimationFrame(drawn)
      cancelAnimationFrame(sweepFrame)
      clearTimeout(waiting)
    },
  }
}

/** Value of a curve at an energy, linear between its points. */
function valueAt(energies, values, energy) {
  if (!Number.isFinite(energy)) return NaN
  let i = 0
  while (i < energies.length - 2 && energies[i + 1] < energy) i++
  const share = (energy - energies[i]) / (energies[i + 1] - energies[i])
  return values[i] + share * (values[i + 1] - values[i])
}
