/** How a photo lies in a pane; pure. Of a photo all lengths are in its own pixels, of a pane in CSS pixels. */

export const CLOSEST = 16; // CSS pixels that a pixel of the photo may take

/** The whole photo, as large as the pane allows. */
export function fit(photo, pane) {
  const scale = Math.min(pane.width / photo.width, pane.height / photo.height, CLOSEST);
  return { scale, x: photo.width / 2, y: photo.height / 2 };
}

/** What is looked at first: the whole of a small photo, the middle of a large one at its own size. */
export function first(photo, pane) {
  const whole = fit(photo, pane);
  return { ...whole, scale: Math.max(whole.scale, 1) };
}

/** The view, moved so that no more of the pane is empty than has to be. */
export function inside(view, photo, pane) {
  const scale = Math.min(CLOSEST, Math.max(view.scale, fit(photo, pane).scale));
  const x = middle(view.x, photo.width, pane.width / scale);
  return { scale, x, y: middle(view.y, photo.height, pane.height / scale) };
}

function middle(at, length, seen) {
  return seen >= length ? length / 2 : Math.min(Math.max(at, seen / 2), length - seen / 2);
}

/** Closer by a factor, or farther; what lies under a point of the pane stays there. */
export function zoomed(view, factor, point, photo, pane) {
  const scale = Math.min(CLOSEST, Math.max(view.scale * factor, fit(photo, pane).scale));
  const there = toPhoto(view, point, pane);
  const x = there.x - (point.x - pane.width / 2) / scale;
  const y = there.y - (point.y - pane.height / 2) / scale;
  return inside({ scale, x, y }, photo, pane);
}

/** The view after the photo was dragged by so many CSS pixels. */
export function moved(view, dx, dy, photo, pane) {
  return inside({ ...view, x: view.x - dx / view.scale, y: view.y - dy / view.scale }, photo, pane);
}

/** The point of the photo that a point of the pane shows. */
export function toPhoto(view, point, pane) {
  return {
    x: view.x + (point.x - pane.width / 2) / view.scale,
    y: view.y + (point.y - pane.height / 2) / view.scale,
  };
}

/** Where a rectangle of the photo lies in the pane. */
export function toPane(view, rect, pane) {
  return {
    x: (rect.x - view.x) * view.scale + pane.width / 2,
    y: (rect.y - view.y) * view.scale + pane.height / 2,
    width: rect.width * view.scale,
    height: rect.height * view.scale,
  };
}

/** A square of at most so many pixels around a point, inside the photo. */
export function cropAround(point, side, photo) {
  const width = Math.min(side, photo.width);
  const height = Math.min(side, photo.height);
  const place = (at, length, most) => Math.round(Math.min(Math.max(at - length / 2, 0), most - length));
  return { x: place(point.x, width, photo.width), y: place(point.y, height, photo.height), width, height };
}
