// Keys for the queue: j and k go on and back, a, q and r put the focus where a decision is made. Nothing is decided by one
// key alone: the button that a key leads to is pressed with Enter.
const items = [...document.querySelectorAll<HTMLElement>(".queue-item")];
const help = document.querySelector<HTMLElement>(".queue-keys");
if (help) help.hidden = false;

function current(): number {
  return items.findIndex((item) => item.contains(document.activeElement));
}

document.addEventListener("keydown", (e) => {
  const at = e.target as HTMLElement;
  if (e.ctrlKey || e.metaKey || e.altKey || at.closest("input, textarea, select, [contenteditable]")) return;
  const now = current();
  if (e.key === "j" || e.key === "k") {
    const next = e.key === "j" ? Math.min(now + 1, items.length - 1) : Math.max(now - 1, 0);
    items[next]?.focus();
    items[next]?.scrollIntoView({ block: "nearest" });
    e.preventDefault();
    return;
  }
  const item = items[now];
  if (!item) return;
  const button = item.querySelector<HTMLButtonElement>(`button[data-key="${CSS.escape(e.key)}"]`);
  if (!button) return;
  const reason = item.querySelector<HTMLTextAreaElement>("textarea");
  if (e.key !== "a" && reason && reason.value.trim() === "") reason.focus();
  else button.focus();
  e.preventDefault();
});
export {};
