"use strict";
function element(name, text, ...inner) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...inner);
  return made;
}

function kind(schema) {
  if (schema.anyOf) return schema.anyOf.map(kind).join(" or ");
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" or ");
  if (schema.type === "array") return "list of " + kind(schema.items);
  return schema.type || "object";
}

function fields(schema) {
  const rows = Object.entries(schema.properties || {}).map(([name, one]) =>
    element("tr", "", element("td", name), element("td", kind(one)), element("td", one.description || "")));
  return element("table", "", element("tr", "", element("th", "field"), element("th", "type"), element("th", "meaning")), ...rows);
}

function operation(path, verb, one) {
  const body = one.requestBody && one.requestBody.content["application/json"].schema;
  const answers = Object.entries(one.responses).map(([status, said]) => element("li", status + ": " + said.description));
  return element("section", "", element("h2", verb.toUpperCase() + " " + path), element("p", one.description || one.summary),
    ...(body ? [fields(body)] : []), element("ul", "", ...answers));
}

fetch("/openapi.json").then((response) => response.json()).then((api) => {
  const made = Object.entries(api.paths).flatMap(([path, verbs]) =>
    Object.entries(verbs).map(([verb, one]) => operation(path, verb, one)));
  document.getElementById("paths").replaceChildren(...made);
});
