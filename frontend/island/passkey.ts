// Passkeys: asks the browser, and sends what it answers. Forms that need them stay hidden where the browser has none.

const bytes = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer: ArrayBuffer | null): string | undefined =>
  buffer ? btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "") : undefined;

type Listed = { id: string; type: "public-key"; transports?: AuthenticatorTransport[] };
const listed = (list: Listed[] | undefined) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));

/** An answer of the server that says what is wrong. */
class Refused extends Error {}

async function ask(path: string, csrf: string, body: BodyInit, type?: string): Promise<any> {
  const headers: Record<string, string> = { "X-CSRF-Token": csrf, Accept: "application/json" };
  if (type) headers["Content-Type"] = type;
  const answer = await fetch(path, { method: "POST", credentials: "same-origin", headers, body });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(said.problem ?? said.detail ?? said.title ?? "");
  return said;
}

async function create(options: any): Promise<unknown> {
  const key = (await navigator.credentials.create({
    publicKey: { ...options, challenge: bytes(options.challenge), user: { ...options.user, id: bytes(options.user.id) }, excludeCredentials: listed(options.excludeCredentials) },
  })) as PublicKeyCredential;
  const response = key.response as AuthenticatorAttestationResponse;
  return {
    id: key.id, rawId: text(key.rawId), type: key.type, authenticatorAttachment: key.authenticatorAttachment ?? undefined, clientExtensionResults: {},
    response: { clientDataJSON: text(response.clientDataJSON), attestationObject: text(response.attestationObject), transports: response.getTransports?.() ?? [] },
  };
}

async function get(options: any): Promise<unknown> {
  const key = (await navigator.credentials.get({ publicKey: { ...options, challenge: bytes(options.challenge), allowCredentials: listed(options.allowCredentials) } })) as PublicKeyCredential;
  const response = key.response as AuthenticatorAssertionResponse;
  return {
    id: key.id, rawId: text(key.rawId), type: key.type, authenticatorAttachment: key.authenticatorAttachment ?? undefined, clientExtensionResults: {},
    response: { clientDataJSON: text(response.clientDataJSON), authenticatorData: text(response.authenticatorData), signature: text(response.signature), userHandle: text(response.userHandle) },
  };
}

if (window.PublicKeyCredential && window.isSecureContext)
  for (const form of document.querySelectorAll<HTMLFormElement>("[data-passkey]")) {
    form.hidden = false;
    for (const note of document.querySelectorAll<HTMLElement>("[data-no-passkeys]")) note.hidden = true;
    const wrong = form.querySelector<HTMLElement>("[role=alert]")!;
    const button = form.querySelector<HTMLButtonElement>("button")!;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      wrong.hidden = true;
      button.disabled = true;
      try {
        const data = new URLSearchParams();
        for (const [key, value] of new FormData(form)) data.append(key, String(value));
        const csrf = data.get("csrf")!;
        const { publicKey } = await ask(form.dataset.begin!, csrf, data);
        const answer = form.dataset.passkey === "create" ? await create(publicKey) : await get(publicKey);
        const { next } = await ask(form.dataset.finish!, csrf, JSON.stringify(answer), "application/json");
        location.assign(next);
      } catch (e) {
        const stopped = e instanceof DOMException && (e.name === "NotAllowedError" || e.name === "AbortError");
        wrong.textContent = (e instanceof Refused && e.message) || (stopped ? form.dataset.stopped! : form.dataset.failed!);
        wrong.hidden = false;
        button.disabled = false;
      }
    });
  }
