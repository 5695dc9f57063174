// Puts what the server has drawn in place: each section only when it has changed, so that what is open, has the focus or
// is selected elsewhere stays as it is. Nothing of it is made here.
"use strict";
const main = document.getElementById("main");
const said = document.getElementById("said");
const known = new Map();
let title = document.title, heading = title, telling = 0;

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
    if (!old) return void main.insertBefore(section, main.children[place] || null);
    const open = new Set([...old.querySelectorAll("details[open]")].map((each) => each.id));
    section.querySelectorAll("details").forEach((each) => { each.open = open.has(each.id); });
    const focused = old.contains(document.activeElement) ? [...old.querySelectorAll("a, summary, [tabindex]")].indexOf(document.activeElement) : -1;
    old.replaceWith(section);
    if (focused >= 0) section.querySelectorAll("a, summary, [tabindex]")[focused]?.focus({ preventScroll: true });
  });
}

function tell() {
  document.title = "Page ended - Handover";
  const gone = Object.assign(document.createElement("section"), { id: "gone", className: "alert" });
  gone.innerHTML = "<p>server-b page does not answer. What stands below is what was seen last; it goes on by itself.</p>";
  main.prepend(gone);
}

function listen() {
  const source = new EventSource(document.body.dataset.events);
  source.onopen = () => {
    clearTimeout(telling);
    telling = 0;
    document.getElementById("gone")?.remove();
    document.title = title;
  };
  source.onmessage = (event) => {
    const shown = JSON.parse(event.data);
    put(shown.html);
    document.title = title = shown.title;
    const first = shown.title.split(/ [0-9-]/)[0];
    if (first !== heading) said.textContent = heading = first;
  };
  source.onerror = () => { // also where a tab of many was told to come again
    telling ||= setTimeout(tell, 2000);
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  };
}
listen();
