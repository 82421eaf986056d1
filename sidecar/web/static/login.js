// Who follows a link from another site arrives without the SameSite=Strict cookie, logged in or not. A request of our own
// carries it: where that is let in, go on.
"use strict";
fetch("api/v1/status", { redirect: "error" }).then((answer) => {
  if (answer.ok) location.replace(`./${document.querySelector("[name=next]").value}`);
}).catch(() => {});
