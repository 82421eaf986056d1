// Zoom and pan: one position for all pictures of the stage, so that they stay side by side pixel for pixel. Arithmetic only.
//
// scale  CSS pixels per pixel of the picture; 1 / devicePixelRatio shows each pixel as one of the screen's
// x, y   the picture's point at the pane's middle, in the picture's pixels
"use strict";
{
  const MOST = 16; // screen pixels per picture's pixel
  const clamp = (value, least, most) => Math.min(Math.max(value, least), Math.max(least, most));

  const fit = (picture, room) => Math.min(room.width / picture.width, room.height / picture.height);

  // The pane hugs the picture until the room ends.
  const pane = (picture, room, scale) => ({
    width: Math.min(room.width, picture.width * scale),
    height: Math.min(room.height, picture.height * scale),
  });

  // No way to lose the picture: the pane never shows what is beyond its edges.
  const held = (at, picture, room) => {
    const least = Math.min(fit(picture, room), 1);
    const scale = clamp(at.scale, least, MOST);
    const seen = pane(picture, room, scale);
    const halfWidth = seen.width / scale / 2;
    const halfHeight = seen.height / scale / 2;
    return { scale, x: clamp(at.x, halfWidth, picture.width - halfWidth), y: clamp(at.y, halfHeight, picture.height - halfHeight) };
  };

  const whole = (picture, room) => ({ scale: fit(picture, room), x: picture.width / 2, y: picture.height / 2 });

  // Zoom by a factor so that the picture's point under (dx, dy), from the pane's middle, stays there.
  const around = (at, factor, dx, dy, picture, room) => {
    const scale = held({ ...at, scale: at.scale * factor }, picture, room).scale;
    return held({ scale, x: at.x + dx / at.scale - dx / scale, y: at.y + dy / at.scale - dy / scale }, picture, room);
  };

  const moved = (at, dx, dy, picture, room) => held({ ...at, x: at.x - dx / at.scale, y: at.y - dy / at.scale }, picture, room);

  // A box [x, y, w, h] in the middle, with air around it.
  const onto = (box, picture, room) => {
    const [x, y, width, height] = box;
    const scale = Math.min(room.width / (width * 1.8 + 40), room.height / (height * 1.8 + 40), 4);
    return held({ scale: Math.max(scale, fit(picture, room)), x: x + width / 2, y: y + height / 2 }, picture, room);
  };

  gallery.zoom = { fit, pane, held, whole, around, moved, onto };
}
