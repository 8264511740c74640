// SPDX-License-Identifier: GPL-3.0-or-later
// Shows everything that the document says about one node. Text only ever becomes text: nothing here is parsed as HTML.
"use strict";
(() => {
  const dialog = document.getElementById("node");
  const title = document.getElementById("node-title");
  const body = document.getElementById("node-body");
  let data;

  function element(name, content, className) {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.append(...[content].flat());
    return made;
  }

  function part(heading, content) {
    if (content) body.append(element("h3", heading), content);
  }

  function list(items, make) {
    return items?.length ? element("ul", items.map((item) => element("li", make(item)))) : null;
  }

  function facts(pairs) {
    const kept = pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined);
    return kept.length ? element("dl", kept.flatMap(([name, value]) => [element("dt", name), element("dd", String(value))])) : null;
  }

  function marked(level, text) {
    return element("span", text, `mark ${level}`);
  }

  function described(level, text, ...lines) {
    return [marked(level, text), ...lines.filter(Boolean).map((line) => element("p", line))];
  }

  function endpoint(entry) {
    const times = ["dns", "tcp", "tls", "http", "total"]
      .filter((phase) => typeof entry.times?.[phase] === "number")
      .map((phase) => `${phase} ${Math.round(entry.times[phase])} ms`)
      .join(", ");
    const what = [entry.registry, entry.image, entry.endpoint || entry.url].filter(Boolean).join(" – ");
    const good = entry.cause === "ok";
    const said = good ? "" : `${entry.cause}: ${entry.message || ""} ${entry.fix || ""}`;
    return described(good ? "ok" : "error", what, said, times);
  }

  function certificate(entry) {
    const bad = entry.error || entry.key_matches === false || entry.days_left < 0;
    const level = bad ? "error" : entry.days_left <= 30 ? "warning" : "ok";
    return described(level, `${entry.registry} ${entry.kind}: ${entry.error || `${entry.days_left} days left`}`, entry.subject, entry.path);
  }

  function open(name) {
    data ??= JSON.parse(document.getElementById("document").textContent);
    const host = Object.hasOwn(data.hosts, name) ? data.hosts[name] : null;
    if (!host) return;
    const info = host.info ?? {};
    title.textContent = name;
    body.replaceChildren();
    if (host.unreachable) body.append(element("p", marked("unknown", host.unreachable)));
    const summary = facts([
      ["Role", host.group],
      ["Release", info.release],
      ["Unit", [info.unit, info.unit_state].filter(Boolean).join(", ")],
      ["Started", info.started_at],
      ["Configuration", info.state],
      ["registries.yaml", info.registries ? [info.registries.path, info.registries.exists ? info.registries.mode : "not there"].filter(Boolean).join(", ") : ""],
      ["Managed here", info.registries ? (info.registries.managed ? "yes" : "no") : ""],
      ["Generation", info.generation],
    ]);
    if (summary) body.append(summary);
    part("Failed to look", list(host.errors, (item) => described("unknown", item.module, item.message)));
    part("Problems", list(info.problems, (item) => described(item.level, item.message, item.fix)));
    part("Failing pulls", list(host.pulls, (item) => described("error", item.image, item.message, item.fix)));
    part("Endpoints", list(host.endpoints, endpoint));
    part("Credential providers", list(host.providers, (item) => described({ ok: "ok", not_asked: "info", provider_unknown: "info" }[item.cause] ?? "error", [item.name, item.image].filter(Boolean).join(", "), item.message, item.fix)));
    part("Certificates", list(info.certificates, certificate));
    part("Credentials", list(info.credentials, (item) => described(item.level, `${item.registry}: ${item.message}`)));
    const differences = (info.differences ?? []).map((item) => `${item.file} (${item.kind})\n${item.diff ?? ""}`).join("\n");
    part("Differences", differences ? element("pre", differences) : null);
    part("Templates", list(info.templates, (item) => described("warning", item.path, item.message)));
    part("Settings", facts((info.settings ?? []).map((item) => [item.key, `${item.value} (${item.source})`])));
    dialog.showModal();
    dialog.scrollTop = 0;
  }

  for (const row of document.querySelectorAll("#matrix tbody tr")) {
    const place = row.querySelector(".name");
    const button = element("button", [...place.childNodes]);
    button.type = "button";
    button.setAttribute("aria-haspopup", "dialog");
    button.addEventListener("click", () => open(row.dataset.node));
    place.append(button);
  }
  document.addEventListener("click", (event) => {
    const square = event.target.closest?.(".squares [data-node]");
    if (square) open(square.dataset.node);
    else if (event.target === dialog) dialog.close();
  });
})();
