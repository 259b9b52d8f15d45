// Spectral descriptors of one spectrum, by the rules of engine.spectra.spectral_descriptors.

const PIT_HALF_WIDTH_EV = 1

/** What is read off a spectrum, in order: key, what it is called, unit, digits. */
export const FEATURES = [
  {key: "E_edge", title: "Edge at half height", unit: "eV", digits: 2},
  {key: "I_pre", title: "Pre-edge peak, height", unit: "", digits: 3},
  {key: "E_main", title: "White line, energy", unit: "eV", digits: 2},
  {key: "I_main", title: "White line, height", unit: "", digits: 3},
  {key: "C_pit", title: "Pit, curvature", unit: "eV⁻²", digits: 4},
  {key: "E_post", title: "Post-edge peak, energy", unit: "eV", digits: 2},
  {key: "I_post", title: "Post-edge peak, height", unit: "", digits: 3},
]

/**
 * @param {ArrayLike<number>} energy rising energies (m,) in eV, at least five
 * @param {ArrayLike<number>} mu spectrum (m,)
 * @returns {Object<string, number>} a number for every key of FEATURES, NaN for a feature that is absent
 */
export function spectralDescriptors(energy, mu) {
  const m = mu.length
  const peaks = peaksOf(mu)
  const main = highest(mu, peaks, 0, m)
  const [E_main, I_main] = vertex(energy, mu, main)
  const [E_edge, rise] = halfHeight(energy, mu, main)
  const I_pre = vertex(energy, mu, highest(mu, peaks, 0, rise))[1]
  const dips = peaksOf(Array.from(mu, value => -value))
  let pit = -1
  for (let i = main + 1; main >= 0 && i < m && pit < 0; i++) if (dips[i]) pit = i
  const half = Math.min(Math.max(1, roundHalfEven(PIT_HALF_WIDTH_EV / medianStep(energy))), (m - 1) >> 1)
  const C_pit = pit < 0 ? NaN : 2 * parabola(energy, mu, pit, half)[2]
  const [E_post, I_post] = vertex(energy, mu, pit < 0 ? -1 : highest(mu, peaks, pit + 1, m))
  return {E_edge, I_pre, E_main, I_main, C_pit, E_post, I_post}
}

/** Whether each point is an interior local maximum; on a plateau with a fall behind it, its left end. */
function peaksOf(mu) {
  const m = mu.length
  const peak = new Uint8Array(m)
  let falls = false // the next step that is not flat goes down
  for (let i = m - 2; i >= 1; i--) {
    if (mu[i + 1] !== mu[i]) falls = mu[i + 1] < mu[i]
    peak[i] = falls && mu[i] > mu[i - 1] ? 1 : 0
  }
  return peak
}

/** Index of the greatest peak from `from` up to but not at `to`, -1 without one. */
function highest(mu, peaks, from, to) {
  let best = -1
  for (let i = from; i < to; i++) if (peaks[i] && (best < 0 || mu[i] > mu[best])) best = i
  return best
}

/** Energy of the last rise through half height below the white line, and the index where that rise begins. */
function halfHeight(energy, mu, main) {
  let top = main
  if (top < 0) {
    top = 0
    for (let i = 1; i < mu.length; i++) if (mu[i] > mu[top]) top = i
  }
  const half = 0.5 * mu[top]
  let at = top - 1
  while (at >= 0 && !(mu[at] < half && mu[at + 1] >= half)) at--
  if (at < 0) return [NaN, -1]
  let start = at
  while (start > 0 && mu[start] > mu[start - 1]) start--
  return [energy[at] + ((half - mu[at]) / (mu[at + 1] - mu[at])) * (energy[at + 1] - energy[at]), start]
}

/** Energy and height at the vertex of the parabola through a point and its two neighbours; NaN where `at` is -1. */
function vertex(energy, mu, at) {
  if (at < 0) return [NaN, NaN]
  const [constant, linear, square] = parabola(energy, mu, at, 1)
  const free = square === 0 ? 0 : -linear / (2 * square)
  const offset = Math.min(Math.max(free, energy[at - 1] - energy[at]), energy[at + 1] - energy[at])
  return [energy[at] + offset, constant + linear * offset + square * offset ** 2]
}

/** Least-squares parabola over 2·half + 1 points around `at`: coefficients of powers of E − energy[at]. */
function parabola(energy, mu, at, half) {
  const first = Math.min(Math.max(at - half, 0), energy.length - (2 * half + 1))
  const x = [], y = []
  for (let i = first; i < first + 2 * half + 1; i++) {
    x.push(energy[i] - energy[at])
    y.push(mu[i])
  }
  const scale = Math.max(...x.map(Math.abs))
  const moment = power => x.reduce((sum, value) => sum + (value / scale) ** power, 0)
  const weighted = power => x.reduce((sum, value, i) => sum + (value / scale) ** power * y[i], 0)
  const s = [0, 1, 2, 3, 4].map(moment)
  const [a, b, c] = solve3([[s[0], s[1], s[2]], [s[1], s[2], s[3]], [s[2], s[3], s[4]]], [0, 1, 2].map(weighted))
  return [a, b / scale, c / scale ** 2]
}

/** Solution of three linear equations by elimination with pivots. */
function solve3(matrix, right) {
  const rows = matrix.map((row, i) => [...row, right[i]])
  for (let i = 0; i < 3; i++) {
    const pivot = rows.slice(i).reduce((best, row, j) => (Math.abs(row[i]) > Math.abs(rows[best][i]) ? i + j : best), i)
    ;[rows[i], rows[pivot]] = [rows[pivot], rows[i]]
    for (let j = i + 1; j < 3; j++) {
      const factor = rows[j][i] / rows[i][i]
      for (let l = i; l < 4; l++) rows[j][l] -= factor * rows[i][l]
    }
  }
  const out = [0, 0, 0]
  for (let i = 2; i >= 0; i--) {
    out[i] = rows[i][3]
    for (let j = i + 1; j < 3; j++) out[i] -= rows[i][j] * out[j]
    out[i] /= rows[i][i]
  }
  return out
}

function medianStep(energy) {
  const steps = Array.from({length: energy.length - 1}, (_, i) => energy[i + 1] - energy[i]).sort((a, b) => a - b)
  const middle = steps.length >> 1
  return steps.length % 2 ? steps[middle] : (steps[middle - 1] + steps[middle]) / 2
}

function roundHalfEven(value) {
  const down = Math.floor(value)
  const up = value - down > 0.5 || (value - down === 0.5 && down % 2 === 1)
  return up ? down + 1 : down
}
