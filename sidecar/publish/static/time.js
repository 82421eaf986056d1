// Times in the reader's own zone. Without scripts the page shows UTC.
"use strict";
{
  const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

  const localise = () => {
    const today = day.format(new Date());
    for (const element of document.querySelectorAll("time[datetime]:not([data-local])")) {
      const when = new Date(element.dateTime);
      if (Number.isNaN(when.getTime())) continue;
      element.dataset.local = "";
      element.title = element.textContent;
      element.textContent = `${day.format(when) === today ? "Today" : day.format(when)}, ${clock.format(when)}`;
    }
  };

  localise();
  document.addEventListener("gallery:patched", localise);
}
