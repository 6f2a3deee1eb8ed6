// The preview: each picture is decoded, drawn as in a mirror and let go. No
// object URL is made and at most two pictures are held, so that nothing piles
// up in years.

const stale = 2000; // ms after which a picture no longer shows the present

export class Mirror {
  #canvas;
  #changed; // told when the picture comes or goes
  #next = null; // newest blob that waits for the decoder
  #busy = false;
  #wanted = false;
  #drawn = -Infinity; // performance.now() of the last picture

  constructor(canvas, changed) {
    this.#canvas = canvas;
    this.#changed = changed;
    setInterval(() => {
      if (this.visible && performance.now() - this.#drawn > stale) this.#hide();
    }, 250);
  }

  get visible() {
    return !this.#canvas.hidden;
  }

  /** Says whether pictures are shown at all now. */
  want(wanted) {
    this.#wanted = wanted;
    if (wanted) return;
    this.#next = null;
    if (this.visible) this.#hide();
  }

  async show(blob) {
    this.#next = blob;
    if (this.#busy) return;
    this.#busy = true;
    while (this.#next) {
      const newest = this.#next;
      this.#next = null;
      try {
        const bitmap = await createImageBitmap(newest);
        if (this.#wanted) this.#draw(bitmap);
        bitmap.close();
      } catch {
        // A broken picture, as cheap cameras send now and then: the next one
        // comes soon, and if none does the mirror is hidden as stale.
      }
    }
    this.#busy = false;
  }

  #draw(bitmap) {
    const c = this.#canvas;
    if (c.width !== bitmap.width || c.height !== bitmap.height) {
      c.width = bitmap.width;
      c.height = bitmap.height;
    }
    const to = c.getContext("2d");
    to.setTransform(-1, 0, 0, 1, c.width, 0);
    to.drawImage(bitmap, 0, 0);
    this.#drawn = performance.now();
    if (!this.visible) {
      c.hidden = false;
      this.#changed();
    }
  }

  #hide() {
    this.#canvas.hidden = true;
    this.#canvas.width = 1; // forgets the pixels, not only hides them
    this.#changed();
  }
}
