// Talking to the server: questions, changes, and the one order in which changes are saved.

export const session = Math.random().toString(36).slice(2);

export class Conflict extends Error {
  constructor(message, sentence) {
    super(message);
    this.sentence = sentence;
  }
}

async function answer(response) {
  const value = await response.json();
  if (response.status === 409) throw new Conflict(value.error, value.sentence);
  if (!response.ok) throw new Error(value.error || `the studio answered ${response.status}`);
  return value;
}

async function send(address, options) {
  let response;
  try {
    response = await fetch(address, { credentials: "same-origin", ...options });
  } catch {
    throw new Error("The studio does not answer. Is it still running? Your last change may not be saved.");
  }
  return answer(response);
}

export function ask(route, values = {}) {
  return send(`api/${route}?${new URLSearchParams({ session, ...values })}`);
}

export function change(route, values = {}) {
  const body = JSON.stringify({ session, user: userName(), ...values });
  return send(`api/${route}`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
}

export function upload(file, values = {}) {
  const query = new URLSearchParams({ session, user: userName(), name: file.name || "text.txt", ...values });
  return send(`api/import?${query}`, { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file });
}

let fallbackName = "me";
export function setFallbackName(name) { fallbackName = name; }
export function userName() { return localStorage.getItem("onomast-user") || fallbackName; }
export function setUserName(name) { localStorage.setItem("onomast-user", name.trim()); }

// Changes are saved one after the other: each names the version that the one before left.
let last = Promise.resolve();
let waiting = 0;
const listeners = new Set();
export function onSaving(listener) { listeners.add(listener); return () => listeners.delete(listener); }
export function isSaving() { return waiting > 0; }

export function inOrder(work) {
  waiting += 1;
  listeners.forEach((tell) => tell(waiting));
  const result = last.then(work);
  last = result.catch(() => {}).then(() => {
    waiting -= 1;
    listeners.forEach((tell) => tell(waiting));
  });
  return result;
}
