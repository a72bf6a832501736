// What follows what happens, on pages that are complete without it. Text from the server is set as text, never as markup;
// markup comes only as whole pages of this server, of which marked parts are taken over.

const FAST = 1000;
const SLOW = 5000;
// What is longer is no title.
const LINE = 80;

const announce = (text) => {
  const place = document.getElementById("announce");
  if (place && text) place.textContent = text;
};

// Call `work` again and again while somebody looks; it says when to be called next, or nothing to end it.
const again = (work, first) => {
  const run = async () => {
    if (document.hidden) {
      document.addEventListener("visibilitychange", run, { once: true });
      return;
    }
    let next;
    try {
      next = await work();
    } catch {
      next = SLOW;
    }
    if (next) setTimeout(run, next);
  };
  setTimeout(run, first);
};

// Fetch this page again and take over its parts marked data-swap that differ.
const refresh = async () => {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
  if (!answer.headers.get("content-type")?.startsWith("text/html")) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-swap]")) {
    const other = fresh.getElementById(part.id);
    if (!other || other.isEqualNode(part)) continue;
    // Nothing is pulled from under someone's hands.
    if (part.contains(document.activeElement) && part.querySelector("details[open]")) continue;
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    const adopted = document.adoptNode(other);
    part.replaceWith(adopted);
    if (focused) document.getElementById(focused)?.focus();
    announce(adopted.dataset.said);
  }
  if (fresh.title) document.title = fresh.title;
};

const followView = (place) => {
  again(async () => {
    const shown = document.querySelector("[data-tag]");
    const tag = shown?.dataset.tag ?? "";
    const answer = await fetch(place.dataset.live, {
      headers: tag ? { "If-None-Match": tag } : {},
      cache: "no-store",
    });
    if (answer.status === 304) return FAST;
    // Gone is no news where it is shown as gone.
    if (answer.status === 410 && tag === "") return SLOW;
    if (answer.ok || answer.status === 410) {
      await refresh();
      return FAST;
    }
    return SLOW;
  }, FAST);
};

const followPart = () => {
  const due = () => Number(document.querySelector("[data-again]")?.dataset.again ?? 0);
  if (!due()) return;
  again(async () => {
    await refresh();
    return due();
  }, due());
};

const followLog = (body) => {
  const button = document.getElementById("pause");
  let paused = false;
  if (button) {
    button.hidden = false;
    button.addEventListener("click", () => {
      paused = !paused;
      button.setAttribute("aria-pressed", String(paused));
      button.textContent = paused ? "Go on" : "Pause";
    });
  }
  const cell = (name, content, type = "") => {
    const made = document.createElement(name);
    if (type) made.className = type;
    made.append(content);
    return made;
  };
  const row = (message) => {
    const made = document.createElement("tr");
    const offset = cell("th", String(message.offset));
    offset.scope = "row";
    const link = cell("a", message.uri, "uri");
    link.href = `/pages/assets/${encodeURIComponent(message.uri)}?as_of=${message.offset}`;
    made.append(
      offset,
      cell("td", shortTime(message.time)),
      cell("td", cell("span", message.op, message.op === "unpublish" ? "badge off" : "badge")),
      cell("td", link),
      cell("td", message.op === "publish" ? message.bytes.toLocaleString("en") : "", "num"),
      cell("td", cell("code", message.tx ?? "")),
    );
    made.className = "new";
    return made;
  };
  let next = Number(body.dataset.next);
  const limit = Number(body.dataset.limit);
  again(async () => {
    if (paused) return FAST;
    const answer = await fetch(`${body.dataset.tail}?from=${next}&limit=${limit}`, { cache: "no-store" });
    if (!answer.ok) return SLOW;
    const page = await answer.json();
    for (const message of page.messages) body.prepend(row(message));
    while (body.rows.length > limit) body.lastElementChild.remove();
    if (page.messages.length) announce(`${page.messages.length} new messages`);
    next = page.next;
    return page.next <= page.last_offset ? 50 : FAST;
  }, FAST);
};

const shortTime = (text) => {
  const at = new Date(text);
  const made = document.createElement("time");
  made.dateTime = text;
  if (Number.isNaN(at.valueOf())) {
    made.textContent = text;
  } else {
    const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
    const [date, month, year] = day.format(at).split(" ");
    const seconds = at.getUTCSeconds() ? `:${String(at.getUTCSeconds()).padStart(2, "0")}` : "";
    const clock = `${String(at.getUTCHours()).padStart(2, "0")}:${String(at.getUTCMinutes()).padStart(2, "0")}${seconds}`;
    made.textContent = `${date} ${month} ${year}, ${clock}`;
  }
  return made;
};

const followStatus = (strip) => {
  const set = (name, value) => {
    const place = strip.querySelector(`[data-value="${name}"]`);
    if (place) place.textContent = String(value);
  };
  const state = (selector, is) => strip.querySelector(selector)?.setAttribute("data-state", is);
  again(async () => {
    const answer = await fetch(strip.dataset.status, { cache: "no-store" });
    if (!answer.ok) return SLOW;
    const now = await answer.json();
    set("last_offset", now.last_offset);
    set("lag", now.lag);
    set("stream_running", now.stream_running ? "running" : "not running");
    set("dead_letters", now.dead_letters);
    state("[data-lag]", now.lag === 0 ? "ok" : "late");
    state("[data-stream]", now.stream_running ? "ok" : "off");
    state("[data-letters]", now.dead_letters ? "off" : "ok");
    return 2 * FAST;
  }, 2 * FAST);
};

// What is typed may go on so: the words that the index holds, and the titles that begin so.
const suggest = (field) => {
  const list = document.getElementById(field.getAttribute("list"));
  let asked = 0;
  const view = () => document.getElementById("view")?.value ?? "";
  field.addEventListener("input", async () => {
    const mine = ++asked;
    const typed = field.value;
    if (!typed.trim()) return list.replaceChildren();
    const parameters = new URLSearchParams({ q: typed, limit: 6, ...(view() && { view: view() }) });
    const answer = await fetch(`${field.dataset.suggest}?${parameters}`);
    // Whoever types faster than this is answered sees only the last.
    if (!answer.ok || mine !== asked) return;
    const found = await answer.json();
    const fragments = found.views.flatMap((one) => Object.values(one.highlights).map((text) => text.fragment));
    const titles = fragments.filter((text) => text.length <= LINE).map((text) => `"${text.replaceAll('"', " ")}"`);
    const texts = [...found.completions.map((one) => one.text), ...titles];
    list.replaceChildren(...[...new Set(texts)].map((text) => new Option(text, text)));
  });
};

const field = document.querySelector("[data-suggest]");
if (field) suggest(field);
const live = document.querySelector("[data-live]");
if (live) followView(live);
const tail = document.querySelector("[data-tail]");
if (tail) followLog(tail);
const strip = document.querySelector("[data-status]");
if (strip) followStatus(strip);
followPart();
document.querySelector("#problem, #tried")?.focus();
