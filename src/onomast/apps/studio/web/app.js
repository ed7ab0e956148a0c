// The frame of the page: tabs, the state that all of them show, messages, whether everything is saved.

import * as api from "./api.js";
import { Data } from "./data.js";
import { Label } from "./label.js";
import { tabs } from "./tabs.js";
import { html, render, useEffect, useState } from "./ui.js";

const TABS = { data: "Data", label: "Label", progress: "Progress", mistakes: "Mistakes", suspects: "Suspects", try: "Try it", taggers: "Taggers" };
const EVERY = 2000; // milliseconds between two looks at what others did

function App({ tabs: all }) {
  const [state, setState] = useState(null);
  const [place, setPlace] = useState(location.hash.slice(1));
  const [note, setNote] = useState(null);
  const [saving, setSaving] = useState(0);
  const [name, setName] = useState(null);
  const say = (text, bad = false) => setNote({ text, bad, at: Date.now() });
  const refresh = async () => {
    const shown = window.onomastShown;
    try {
      const found = await api.ask("state", shown ? { sentence: shown } : {});
      api.setFallbackName(found.user);
      setState({ ...found, shown });
      setNote((old) => (old && old.lost ? null : old));
      setName((old) => old || api.userName());
    } catch (error) { setNote({ text: error.message, bad: true, lost: true, at: Date.now() }); }
  };
  useEffect(() => {
    refresh();
    const timer = setInterval(() => { if (!document.hidden) refresh(); }, EVERY);
    const moved = () => setPlace(location.hash.slice(1));
    window.addEventListener("hashchange", moved);
    const off = api.onSaving(setSaving);
    const leave = (event) => { if (api.isSaving()) event.preventDefault(); };
    window.addEventListener("beforeunload", leave);
    return () => { clearInterval(timer); window.removeEventListener("hashchange", moved); window.removeEventListener("beforeunload", leave); off(); };
  }, []);
  useEffect(() => {
    if (!note || note.bad) return undefined;
    const timer = setTimeout(() => setNote(null), 5000);
    return () => clearTimeout(timer);
  }, [note]);
  if (!state) return html`<p class="quiet centre">${note ? note.text : "Opening the project …"}</p>`;
  const [wish, detail] = place.split("/");
  const isReady = state.labels.length > 0 && state.done + state.new + state.skipped > 0;
  const tab = TABS[wish] ? wish : isReady ? "label" : "data";
  if (tab !== wish) history.replaceState(null, "", `#${tab}`); // what comes in later does not change the tab
  if (tab !== wish) setTimeout(() => setPlace(tab));
  const Tab = all[tab];
  const rename = () => {
    const made = prompt("Your name, as the others shall see it:", api.userName());
    if (made && made.trim()) { api.setUserName(made); setName(made.trim()); }
  };
  return html`<header><div class="top"><h1>${state.name}</h1><div class="right">
      <span role="status" class=${`saved${saving ? " busy" : ""}`}>${saving ? "Saving …" : "✓ Saved"}</span>
      <button class="link" onClick=${rename} title="Change your name">${name}</button></div></div>
    <nav aria-label="Parts of the studio">${Object.entries(TABS).map(([key, title]) => html`<a href=${`#${key}`} aria-current=${key === tab ? "page" : undefined}>${title}</a>`)}</nav></header>
    <main>${note && html`<div class=${`message${note.bad ? " bad" : ""}`} role=${note.bad ? "alert" : "status"}>
      <span>${note.text}</span> <button class="link" onClick=${() => setNote(null)}>Close</button></div>`}
      <${Tab} key=${tab} state=${state} refresh=${refresh} say=${say} wanted=${detail} /></main>`;
}

const box = document.getElementById("app");
box.textContent = "";
render(html`<${App} tabs=${{ label: Label, data: Data, ...tabs }} />`, box);
