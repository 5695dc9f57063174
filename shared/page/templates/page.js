// Puts what the server has drawn in place: each section only when it has changed, so that what is open, has the focus or
// is selected elsewhere stays as it is. Nothing of it is made here.
"use strict";
const main = document.getElementById("main");
const said = document.getElementById("said");
const known = new Map();
let heading = document.title;

function put(html) {
  const drawn = document.createElement("template");
  drawn.innerHTML = html;
  const sections = [...drawn.content.children];
  const ids = new Set(sections.map((section) => section.id));
  for (const old of [...main.children]) {
    if (!ids.has(old.id)) old.remove();
  }
  sections.forEach((section, place) => {
    const old = document.getElementById(section.id);
    const source = section.outerHTML;
    if (old && known.get(section.id) === source) return;
    known.set(section.id, source);
    if (!old) {
      main.insertBefore(section, main.children[place] || null);
      return;
    }
    const open = new Set([...old.querySelectorAll("details[open]")].map((each) => each.id));
    section.querySelectorAll("details").forEach((each) => { each.open = open.has(each.id); });
    const focused = old.contains(document.activeElement) ? [...old.querySelectorAll("a, summary, [tabindex]")].indexOf(document.activeElement) : -1;
    old.replaceWith(section);
    if (focused >= 0) section.querySelectorAll("a, summary, [tabindex]")[focused]?.focus({ preventScroll: true });
  });
}

const source = new EventSource(document.body.dataset.events);
source.onmessage = (event) => {
  const shown = JSON.parse(event.data);
  put(shown.html);
  document.title = shown.title;
  const first = shown.title.split(/ [0-9-]/)[0];
  if (first !== heading) said.textContent = heading = first;
};
source.onerror = () => {
  document.title = "Page ended - Handover";
  known.delete("gone");
  if (document.getElementById("gone")) return;
  const gone = document.createElement("section");
  gone.id = "gone";
  gone.className = "alert";
  gone.innerHTML = "<p>server-b page does not answer. What stands below is what was seen last; it goes on by itself.</p>";
  main.prepend(gone);
};
