// The decoder of a trained member, as engine.model.networks defines it, for one latent point at a time.

const LAYER_NORM_EPSILON = 1e-5
const SOFTPLUS_LINEAR_ABOVE = 20

/**
 * Numbers that were sent as base64.
 * @param {string} text little-endian float32 values
 * @returns {Float32Array}
 */
export function floatsFromBase64(text) {
  const characters = atob(text)
  const bytes = new Uint8Array(characters.length)
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i)
  return new Float32Array(bytes.buffer)
}

/**
 * Reads the weights of a decoder; see DecoderWeights of engine.model.decoder_weights for their order.
 * @param {{sizes: number[], activation: string, normalisation: string, softplusBeta: number, values: string}} weights
 * @returns {(z: ArrayLike<number>, mu?: Float32Array) => Float32Array} spectrum (m,) of a latent point (k,), written
 *   into `mu` where it is given
 */
export function makeDecoder({sizes, activation, normalisation, softplusBeta, values}) {
  const numbers = floatsFromBase64(values)
  let at = 0
  const take = count => numbers.subarray(at, (at += count))
  const layers = []
  for (let i = 0; i + 1 < sizes.length; i++) {
    const [inputs, outputs] = [sizes[i], sizes[i + 1]]
    const layer = {weight: take(inputs * outputs), bias: take(outputs), out: new Float64Array(outputs)}
    if (i + 2 < sizes.length) {
      layer.slope = activation === "prelu" ? take(1)[0] : null
      if (normalisation === "layer") layer.norm = {scale: take(outputs), offset: take(outputs)}
      if (normalisation === "batch") layer.norm = {mean: take(outputs), std: take(outputs)}
    }
    layers.push(layer)
  }
  const m = sizes[sizes.length - 1]
  const [offset, scale] = [take(m), take(m)]
  if (at !== numbers.length) throw new Error(`decoder: ${numbers.length} weights, need ${at}`)
  const last = layers.length - 1

  return (z, mu = new Float32Array(m)) => {
    let x = z
    layers.forEach((layer, i) => {
      affine(layer, x)
      x = layer.out
      if (i === last) return
      if (normalisation === "layer") normaliseSample(x, layer.norm)
      activate(x, layer.slope)
      if (normalisation === "batch") normaliseByStored(x, layer.norm)
    })
    for (let j = 0; j < m; j++) {
      const raw = softplusBeta * (offset[j] + x[j] * scale[j])
      mu[j] = (raw > SOFTPLUS_LINEAR_ABOVE ? raw : Math.log1p(Math.exp(raw))) / softplusBeta
    }
    return mu
  }
}

/** out = bias + x · weight, summed in double precision; four rows at a time take half as long. */
function affine({weight, bias, out}, x) {
  const n = out.length
  out.set(bias)
  let i = 0
  for (; i + 4 <= x.length; i += 4) {
    const [a, b, c, d] = [x[i], x[i + 1], x[i + 2], x[i + 3]]
    const [p, q, r, s] = [i * n, (i + 1) * n, (i + 2) * n, (i + 3) * n]
    for (let j = 0; j < n; j++) {
      out[j] += a * weight[p + j] + b * weight[q + j] + c * weight[r + j] + d * weight[s + j]
    }
  }
  for (; i < x.length; i++) for (let j = 0; j < n; j++) out[j] += x[i] * weight[i * n + j]
}

/** SiLU, or PReLU with a slope. */
function activate(x, slope) {
  for (let j = 0; j < x.length; j++) {
    if (slope === null) x[j] /= 1 + Math.exp(-x[j])
    else if (x[j] < 0) x[j] *= slope
  }
}

/** Layer norm: the features of this sample get mean 0 and variance 1, then the learned scale and offset. */
function normaliseSample(x, {scale, offset}) {
  const n = x.length
  let mean = 0
  for (let j = 0; j < n; j++) mean += x[j]
  mean /= n
  let variance = 0
  for (let j = 0; j < n; j++) variance += (x[j] - mean) ** 2
  const factor = 1 / Math.sqrt(variance / n + LAYER_NORM_EPSILON)
  for (let j = 0; j < n; j++) x[j] = offset[j] + (x[j] - mean) * factor * scale[j]
}

/** Batch norm with the statistics that were stored in training. */
function normaliseByStored(x, {mean, std}) {
  for (let j = 0; j < x.length; j++) x[j] = (x[j] - mean[j]) / std[j]
}
