// Which pixels of two pictures differ, where nobody compared them: the same measure as sidecar/compare (see there for its sources),
// so that a picture against its bare art, or any two runs, are judged as every run is against its baseline. Smoothed edges do not count.
"use strict";
{
  const SENSITIVITY = 0.1; // as review.sensitivity by default
  const WORST = 35215; // the distance of black and white
  const MOST_PIXELS = 12e6;
  const CELL = 8; // pixels: what lies within two such cells is one region
  const MOST = 20; // regions
  const KEPT = 12; // results
  const AROUND = [-1, 0, 1].flatMap((dx) => [-1, 0, 1].map((dy) => [dx, dy])).filter(([dx, dy]) => dx || dy);

  const read = async (url) => { const image = new Image(); image.src = url; await image.decode(); return image; };

  // Colours of a picture at this size, as 0xRRGGBB; what is transparent lies on white.
  const colours = (image, width, height) => {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, width, height);
    pen.imageSmoothingQuality = "high";
    pen.drawImage(image, 0, 0, width, height);
    const { data } = pen.getImageData(0, 0, width, height); // refused for pictures of file://
    const found = new Uint32Array(width * height);
    for (let at = 0; at < found.length; at += 1) found[at] = (data[4 * at] << 16) | (data[4 * at + 1] << 8) | data[4 * at + 2];
    return found;
  };

  const bright = (colour) => (colour >> 16) * 0.29889531 + ((colour >> 8) & 255) * 0.58662247 + (colour & 255) * 0.11448223;

  // The squared distance in YIQ.
  const distance = (one, other) => {
    const red = (one >> 16) - (other >> 16);
    const green = ((one >> 8) & 255) - ((other >> 8) & 255);
    const blue = (one & 255) - (other & 255);
    const y = red * 0.29889531 + green * 0.58662247 + blue * 0.11448223;
    const i = red * 0.59597799 - green * 0.2741761 - blue * 0.32180189;
    const q = red * 0.21147017 - green * 0.52261711 + blue * 0.31114694;
    return 0.5053 * y * y + 0.299 * i * i + 0.1957 * q * q;
  };

  const edges = (picture, width, height) => {
    const border = (x, y) => (x === 0 || y === 0 || x === width - 1 || y === height - 1 ? 1 : 0);
    const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height;
    // Three or more neighbours have this very colour; the border counts as one.
    const flat = (x, y) => {
      const own = picture[y * width + x];
      let equal = border(x, y);
      for (const [dx, dy] of AROUND) if (inside(x + dx, y + dy) && picture[(y + dy) * width + x + dx] === own) equal += 1;
      return equal > 2;
    };
    // Between a darker and a brighter neighbour, one of them in a flat area of both pictures.
    const smooth = (x, y, other) => {
      const own = bright(picture[y * width + x]);
      let equal = border(x, y);
      let [darkest, brightest, low, high] = [null, null, 0, 0];
      for (const [dx, dy] of AROUND) {
        if (!inside(x + dx, y + dy)) continue;
        const step = own - bright(picture[(y + dy) * width + x + dx]);
        if (step === 0) equal += 1;
        if (step < low) { low = step; darkest = [x + dx, y + dy]; }
        if (step > high) { high = step; brightest = [x + dx, y + dy]; }
      }
      return equal <= 2 && darkest !== null && brightest !== null && [darkest, brightest].some((at) => flat(...at) && other.flat(...at));
    };
    return { flat, smooth };
  };

  const differing = (before, after, width, height) => {
    const mask = new Uint8Array(width * height);
    const [first, second] = [edges(before, width, height), edges(after, width, height)];
    for (let at = 0; at < mask.length; at += 1) {
      if (before[at] === after[at] || distance(before[at], after[at]) <= WORST * SENSITIVITY * SENSITIVITY) continue;
      const [x, y] = [at % width, Math.floor(at / width)];
      mask[at] = first.smooth(x, y, second) || second.smooth(x, y, first) ? 0 : 1;
    }
    return mask;
  };

  const touch = ([x, y, w, h], [ox, oy, ow, oh]) => x < ox + ow && ox < x + w && y < oy + oh && oy < y + h;
  const join = ([x, y, w, h], [ox, oy, ow, oh]) => { const [l, t] = [Math.min(x, ox), Math.min(y, oy)]; return [l, t, Math.max(x + w, ox + ow) - l, Math.max(y + h, oy + oh) - t]; };

  // Boxes around what differs, near ones as one, none overlapping, largest first.
  const regions = (mask, width, height) => {
    const across = Math.ceil(width / CELL);
    const cells = new Map(); // cell -> box around its pixels
    for (let at = 0; at < mask.length; at += 1) {
      if (!mask[at]) continue;
      const [x, y] = [at % width, Math.floor(at / width)];
      const cell = Math.floor(y / CELL) * across + Math.floor(x / CELL);
      cells.set(cell, cells.has(cell) ? join(cells.get(cell), [x, y, 1, 1]) : [x, y, 1, 1]);
    }
    let boxes = [];
    while (cells.size) {
      const [[start, first]] = cells;
      cells.delete(start);
      let box = first;
      for (const stack = [start]; stack.length;) {
        const cell = stack.pop();
        const column = cell % across;
        for (let down = -2; down <= 2; down += 1) {
          for (let right = -2; right <= 2; right += 1) {
            const near = cell + down * across + right;
            if (column + right < 0 || column + right >= across || !cells.has(near)) continue;
            box = join(box, cells.get(near));
            cells.delete(near);
            stack.push(near);
          }
        }
      }
      boxes.push(box);
    }
    for (let merged = true; merged;) {
      merged = false;
      for (let one = 0; one < boxes.length && !merged; one += 1) {
        const other = boxes.findIndex((box, at) => at > one && touch(boxes[one], box));
        if (other < 0) continue;
        boxes[one] = join(boxes[one], boxes[other]);
        boxes = boxes.filter((_, at) => at !== other);
        merged = true;
      }
    }
    return boxes.sort((a, b) => b[2] * b[3] - a[2] * a[3] || a[1] - b[1] || a[0] - b[0]).slice(0, MOST);
  };

  const paint = (mask, width, height) => {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const pen = canvas.getContext("2d");
    const shown = pen.createImageData(width, height);
    for (let at = 0; at < mask.length; at += 1) if (mask[at]) shown.data.set([255, 45, 149, 255], 4 * at);
    pen.putImageData(shown, 0, 0);
    return canvas;
  };

  const compare = async (now, ref, ignored, stretched) => {
    const [after, before] = await Promise.all([read(now), read(ref)]);
    const [width, height] = [after.naturalWidth, after.naturalHeight];
    if (width * height > MOST_PIXELS) return null;
    const skewed = Math.abs(before.naturalWidth * height - before.naturalHeight * width) > 0.01 * before.naturalWidth * height;
    const mask = skewed && !stretched ? new Uint8Array(width * height).fill(1) : differing(colours(before, width, height), colours(after, width, height), width, height);
    let counted = mask.length;
    if (ignored.length && !(skewed && !stretched)) {
      const blind = new Uint8Array(mask.length);
      for (const [x, y, w, h] of ignored) for (let row = Math.max(0, y); row < Math.min(height, y + h); row += 1) blind.fill(1, row * width + Math.max(0, x), row * width + Math.max(0, Math.min(width, x + w)));
      for (let at = 0; at < mask.length; at += 1) if (blind[at]) { mask[at] = 0; counted -= 1; }
    }
    const pixels = mask.reduce((sum, one) => sum + one, 0);
    return { pixels, fraction: counted ? pixels / counted : 0, boxes: regions(mask, width, height), mask: paint(mask, width, height) };
  };

  const known = new Map();

  // Promise of {pixels, fraction, boxes, mask: a canvas}; of null where the pictures may not be read (from file://) or cannot.
  // `stretched`: a picture of another shape is drawn in this one's, as Kometa does with art; else it differs everywhere.
  gallery.differ = (now, ref, ignored = [], stretched = false) => {
    const key = JSON.stringify([now, ref, ignored, stretched]);
    if (!known.has(key)) known.set(key, compare(now, ref, ignored, stretched).catch(() => null));
    if (known.size > KEPT) known.delete(known.keys().next().value);
    return known.get(key);
  };
}
