// A server of the fediverse made with Fedify, on loopback, for the test of ours. It takes orders as lines of JSON on
// standard input and tells what happens as lines of JSON on standard output; it ends with standard input.
//
//   node peer.mjs rfc9421|draft-cavage-http-signatures-12
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The packages are in a cache folder, which ESM does not search by itself.
const need = createRequire(process.env.FEDIFY_CACHE + "/package.json");
const load = (name) => import(pathToFileURL(need.resolve(name)));
const { createFederation, generateCryptoKeyPair, MemoryKvStore } = await load("@fedify/fedify");
const vocab = await load("@fedify/fedify/vocab");
const { Accept, Announce, Create, Delete, Endpoints, Event, Flag, Follow, Ignore, Join, Leave, Like, Note, Person, PUBLIC_COLLECTION, Reject, Tombstone, Undo, Update } = vocab;

const tell = (what) => process.stdout.write(JSON.stringify(what) + "\n");

let held; // answers wait for it

const server = createServer(async (req, res) => {
	const chunks = [];
	for await (const c of req) chunks.push(c);
	const body = Buffer.concat(chunks);
	const request = new Request(origin + req.url, {
		method: req.method,
		headers: Object.entries(req.headers).filter(([, v]) => typeof v === "string"),
		body: req.method === "GET" || req.method === "HEAD" ? undefined : body,
	});
	const response = await federation.fetch(request, { contextData: undefined });
	if (held && req.method === "POST") {
		// What came is done, and whoever brought it does not know.
		tell({ event: "held", status: response.status });
		await held.promise;
	}
	if (req.method === "POST" && response.status >= 400) tell({ event: "refused", status: response.status });
	res.writeHead(response.status, Object.fromEntries(response.headers));
	res.end(Buffer.from(await response.arrayBuffer()));
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const origin = `http://127.0.0.1:${server.address().port}`;

const federation = createFederation({ kv: new MemoryKvStore(), allowPrivateAddress: true, origin, firstKnock: process.argv[2] });
const pairs = [await generateCryptoKeyPair("RSASSA-PKCS1-v1_5"), await generateCryptoKeyPair("Ed25519")];
federation
	.setActorDispatcher("/users/{identifier}", async (ctx, identifier) => {
		const keys = await ctx.getActorKeyPairs(identifier);
		return new Person({
			id: ctx.getActorUri(identifier), preferredUsername: identifier, name: "Maud", inbox: ctx.getInboxUri(identifier),
			endpoints: new Endpoints({ sharedInbox: ctx.getInboxUri() }),
			publicKey: keys[0].cryptographicKey, assertionMethods: keys.map((k) => k.multikey),
		});
	})
	.setKeyPairsDispatcher(() => pairs);

// An event of maud's, for who shows it elsewhere.
federation.setObjectDispatcher(Event, "/events/{id}", (ctx, { id }) => new Event({
	id: ctx.getObjectUri(Event, { id }), attribution: ctx.getActorUri("maud"), name: "Fest-noz", to: PUBLIC_COLLECTION,
}));

const listeners = federation.setInboxListeners("/users/{identifier}/inbox", "/inbox");
// Servers may want to know who asks: requests are signed.
listeners.setSharedKeyDispatcher(() => ({ identifier: "maud" }));
for (const kind of [Accept, Announce, Reject, Ignore, Create, Update, Delete]) {
	listeners.on(kind, async (ctx, activity) => {
		// What answers ours repeats a document of ours, which it rightly asks us for; the id is enough.
		const object = [Announce, Create, Update, Delete].includes(kind) ? await activity.getObject({ documentLoader: await ctx.getDocumentLoader({ identifier: "maud" }), contextLoader: ctx.contextLoader }).catch(() => null) : null;
		tell({
			event: "received", type: kind.name, id: activity.id?.href, actor: activity.actorId?.href,
			object: { id: activity.objectId?.href ?? object?.id?.href, type: object?.constructor.name, name: object?.name?.toString(), start: object?.startTime?.toString() },
		});
	});
}
// What a report says is told as it came, whole.
listeners.on(Flag, async (ctx, activity) => {
	tell({
		event: "received", type: "Flag", id: activity.id?.href, actor: activity.actorId?.href, objects: activity.objectIds.map((u) => u.href),
		content: activity.content?.toString(), whole: JSON.stringify(await activity.toJsonLd({ contextLoader: ctx.contextLoader })),
	});
});
listeners.onError((ctx, error) => tell({ event: "error", error: String(error) }));

const ctx = federation.createContext(new URL(origin), undefined);
const me = ctx.getActorUri("maud");
let sequence = 0;
const fresh = () => new URL(`/activities/${++sequence}`, origin);
let relay, followed, liked, replied;

const signed = () => ctx.getDocumentLoader({ identifier: "maud" });

const orders = {
	// A handle is looked up with https, which there is none of on loopback: WebFinger is asked here.
	async finger({ target, handle }) {
		const res = await fetch(`${target}/.well-known/webfinger?resource=${encodeURIComponent("acct:" + handle.replace(/^@/, ""))}`);
		const jrd = await res.json();
		tell({ event: "fingered", subject: jrd.subject, id: jrd.links?.find((l) => l.rel === "self" && l.type === "application/activity+json")?.href });
	},
	hold() {
		held = Promise.withResolvers();
	},
	release() {
		held?.resolve();
		held = undefined;
	},
	leave: ({ target }) => send(new Leave({ id: fresh(), actor: me, object: new URL(target) })),
	async lookup({ target }) {
		relay = await ctx.lookupObject(target, { documentLoader: await signed() });
		tell({ event: "found", id: relay?.id?.href, type: relay?.constructor.name, name: relay?.name?.toString(), keys: (await Array.fromAsync(relay.getAssertionMethods())).length });
	},
	async get({ target }) {
		const object = await ctx.lookupObject(target, { documentLoader: await signed() });
		tell({ event: "got", id: object?.id?.href, type: object?.constructor.name, name: object?.name?.toString(), joinMode: (await object?.toJsonLd({ contextLoader: ctx.contextLoader }))?.joinMode });
	},
	async follow() {
		followed = new Follow({ id: fresh(), actor: me, object: relay.id });
		await send(followed);
	},
	async like({ target }) {
		liked = new Like({ id: fresh(), actor: me, object: new URL(target) });
		await send(liked);
	},
	unlike: () => send(new Undo({ id: fresh(), actor: me, object: liked })),
	unfollow: () => send(new Undo({ id: fresh(), actor: me, object: followed })),
	async reply({ target, content }) {
		replied = fresh();
		await send(new Create({
			id: fresh(), actor: me, to: PUBLIC_COLLECTION,
			object: new Note({ id: replied, attribution: me, replyTarget: new URL(target), content, to: PUBLIC_COLLECTION }),
		}));
	},
	unreply: () => send(new Delete({ id: fresh(), actor: me, to: PUBLIC_COLLECTION, object: new Tombstone({ id: replied }) })),
	flag: ({ target, content }) => send(new Flag({ id: fresh(), actor: me, object: new URL(target), content })),
	join: ({ target }) => send(new Join({ id: fresh(), actor: me, object: new URL(target) })),
};
const send = (activity) => ctx.sendActivity({ identifier: "maud" }, relay, activity);

tell({ event: "listening", origin, actor: me.href });
const lines = createInterface({ input: process.stdin });
lines.on("line", async (line) => {
	const order = JSON.parse(line);
	try {
		await orders[order.do](order);
		tell({ event: "done", do: order.do });
	} catch (error) {
		tell({ event: "failed", do: order.do, error: String(error) });
	}
});
lines.on("close", () => process.exit(0));
