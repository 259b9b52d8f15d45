// The player as a component of the page: parameters in, choices of the person out.

import {createPlayer} from "./player.js"

export function render({model}) {
  const player = createPlayer({
    commit: latent => { model.latent = latent },
    baseline: latent => { model.baseline = latent },
    settings: settings => { model.settings = settings },
    disagreement: value => { model.disagreement = value },
  })
  const load = () => {
    if (model.member.axes) player.load(model.member, model.latent, model.baseline)
    player.setSettings(model.settings)
    player.setOthers(model.others)
    player.setReference(model.reference)
    player.setOverlays(model.overlays)
    player.setCheck(model.check)
  }
  model.on("member", () => queueMicrotask(load)) // the other parameters of the same update come right after it
  model.on("latent", () => player.setLatent(model.latent))
  model.on("baseline", () => player.setBaseline(model.baseline))
  model.on("others", () => player.setOthers(model.others))
  model.on("reference", () => player.setReference(model.reference))
  model.on("overlays", () => player.setOverlays(model.overlays))
  model.on("settings", () => player.setSettings(model.settings))
  model.on("check", () => player.setCheck(model.check))
  model.on("remove", () => player.destroy())
  load()
  return player.element
}
