// Checks that run inside the page: layout, contrast, names of controls.

/**
 * Returns sentences about what does not fit the window: sideways scrolling,
 * parts that stick out, words that are cut off, buttons too small to touch.
 */
export function layoutFlaws(page) {
  return page.evaluate(() => {
    const flaws = [];
    const root = document.documentElement;
    if (root.scrollWidth > innerWidth) flaws.push(`page is ${root.scrollWidth} px wide in a window of ${innerWidth}`);
    if (document.body.scrollHeight > innerHeight) flaws.push(`page is ${document.body.scrollHeight} px high in a window of ${innerHeight}`);
    const boxes = {};
    for (const e of document.querySelectorAll("#notice, #stage, #words > *, #privacy, #languages button")) {
      const b = e.getBoundingClientRect();
      if (!b.width || !b.height) continue;
      const name = `${e.tagName.toLowerCase()}#${e.id || e.textContent}`;
      if (b.left < -0.5 || b.top < -0.5 || b.right > innerWidth + 0.5 || b.bottom > innerHeight + 0.5) {
        flaws.push(`${name} sticks out: ${[b.left, b.top, b.right, b.bottom].map(Math.round)}`);
      }
      if (e.scrollWidth > Math.ceil(b.width) + 1) flaws.push(`${name} is wider than its box`);
      if (e.tagName === "BUTTON" && (b.width < 44 || b.height < 44)) flaws.push(`${name} is ${b.width}×${b.height}, not 44×44`);
      boxes[name] = b;
    }
    const names = Object.keys(boxes);
    for (let i = 0; i < names.length; i++) {
      for (let k = i + 1; k < names.length; k++) {
        const [a, b] = [boxes[names[i]], boxes[names[k]]];
        const w = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const h = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (w > 1 && h > 1) flaws.push(`${names[i]} and ${names[k]} overlap`);
      }
    }
    return flaws;
  });
}

/**
 * Returns sentences about texts whose contrast to the page's ground is below
 * WCAG 2.2 AA (1.4.3: 4.5:1, large text 3:1) and controls without a name. The
 * ground is taken as both ends of the page's gradient; the worse one counts.
 */
export function accessibilityFlaws(page) {
  return page.evaluate(() => {
    const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const over = (colours) => {
      paint.clearRect(0, 0, 1, 1);
      for (const c of colours) {
        paint.fillStyle = c;
        paint.fillRect(0, 0, 1, 1);
      }
      return [...paint.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    // Relative luminance and contrast ratio as WCAG 2.2 defines them.
    const luminance = (rgb) => {
      const [r, g, b] = rgb.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ratio = (a, b) => {
      const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
      return (x + 0.05) / (y + 0.05);
    };
    const flaws = [];
    const style = getComputedStyle(document.body);
    const ground = style.getPropertyValue("--ground");
    const glow = style.getPropertyValue("--glow");
    for (const e of document.querySelectorAll("#notice, #words > p, #words > h1, #privacy, #languages button")) {
      if (!e.textContent.trim() || !e.getClientRects().length) continue;
      const own = getComputedStyle(e);
      const large = parseFloat(own.fontSize) >= 24 || (parseFloat(own.fontSize) >= 18.66 && own.fontWeight >= 700);
      const worst = Math.min(...[[ground], [ground, glow]].map((under) => {
        const back = over([...under, own.backgroundColor]);
        return ratio(over([`rgb(${back})`, own.color]), back);
      }));
      if (worst < (large ? 3 : 4.5)) flaws.push(`${e.id || e.textContent}: contrast ${worst.toFixed(2)}`);
    }
    for (const e of document.querySelectorAll("button, nav, [role=img], [role=progressbar]")) {
      if (!e.getClientRects().length) continue;
      if (!e.getAttribute("aria-label")) flaws.push(`${e.tagName} ${e.id} has no name`);
    }
    if (document.querySelectorAll("h1").length !== 1) flaws.push("the page does not have one heading");
    if (!document.documentElement.lang) flaws.push("the page has no language");
    if (!document.title) flaws.push("the page has no title");
    return flaws;
  });
}
