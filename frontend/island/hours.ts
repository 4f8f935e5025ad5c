// The editor of opening hours works without scripts. Here: Monday is copied on the spot, typing a time takes back "closed",
// and what everybody will read follows as one types.

export function startHours(form: HTMLFormElement): void {
  const box = form.querySelector<HTMLElement>(".hours");
  const preview = document.getElementById("hours-preview");
  if (!box || !preview) return;
  const inputs = (row: Element) => [...row.querySelectorAll<HTMLInputElement>("input")];
  const rowOf = (name: string) => box.querySelector(`[data-row=${name}]`);

  let timer = 0;
  let turn = 0;
  const look = () => {
    const query = new URLSearchParams();
    for (const [key, value] of new FormData(form))
      if (typeof value === "string" && value && (key.startsWith("hours.") || key === "openingHours")) query.set(key, value);
    const mine = ++turn;
    fetch("/add/hours?" + query, { credentials: "same-origin" })
      .then((r) => (r.ok ? r.text() : null))
      .then((html) => {
        if (html !== null && mine === turn && preview.innerHTML !== html.trim()) preview.innerHTML = html.trim();
      })
      .catch(() => undefined); // the button asks again
  };
  const later = () => {
    clearTimeout(timer);
    timer = window.setTimeout(look, 500);
  };

  box.addEventListener("input", (event) => {
    const input = event.target as HTMLInputElement;
    const row = input.closest("[data-row]");
    const closed = row?.querySelector<HTMLInputElement>("[type=checkbox]");
    if (row && closed && input !== closed && input.value) closed.checked = false;
    later();
  });
  box.addEventListener("change", (event) => {
    const input = event.target as HTMLInputElement;
    const row = input.closest("[data-row]");
    if (row && input.type === "checkbox" && input.checked) for (const one of inputs(row)) if (one !== input) one.value = "";
    later();
  });
  for (const button of box.querySelectorAll<HTMLButtonElement>("[value=hours_week], [value=hours_all]"))
    button.addEventListener("click", (event) => {
      event.preventDefault();
      const from = inputs(rowOf("mo")!);
      for (const name of ["tu", "we", "th", "fr", "sa", "su"].slice(0, button.value === "hours_week" ? 4 : 6)) {
        const row = rowOf(name)!;
        inputs(row).forEach((input, i) => {
          input.type = from[i]!.type;
          input.value = from[i]!.value;
          input.checked = from[i]!.checked;
        });
        row.querySelector("details")!.open = rowOf("mo")!.querySelector("details")!.open;
      }
      form.dispatchEvent(new Event("input")); // what is kept follows
      look();
    });
  box.querySelector("[value=hours]")?.addEventListener("click", (event) => {
    event.preventDefault();
    look();
  });
}
