// Light or dark: the system's choice until the button is used, then the reader's, on every page. Runs before the first paint.
"use strict";
{
  const KEY = "kometa-sidecar.theme";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");

  // Storage may be closed to us (private windows, file://): the button still works for this page.
  const read = () => { try { return localStorage.getItem(KEY); } catch { return null; } };
  const write = (theme) => { try { localStorage.setItem(KEY, theme); } catch { /* see above */ } };

  const apply = () => {
    const chosen = read();
    root.dataset.theme = chosen === "light" || chosen === "dark" ? chosen : system.matches ? "dark" : "light";
  };

  apply();
  root.classList.add("js");
  system.addEventListener("change", apply);
  addEventListener("storage", (event) => { if (event.key === KEY) apply(); });

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    button.hidden = false;
    button.addEventListener("click", () => {
      const theme = root.dataset.theme === "dark" ? "light" : "dark";
      root.dataset.theme = theme;
      write(theme);
    });
  });
}
