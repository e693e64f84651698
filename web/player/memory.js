// What the browser remembers between visits: where each recording was left, and
// how fast, how loud and with which captions it was watched. A browser that keeps
// nothing, as many do for a page within another site's, only forgets.

const key = 'scalelite.player';

// More recordings than these are forgotten, the ones not watched for longest.
const most = 50;

export class Memory {
	#storage;

	/** @param {() => Storage} open  returns the storage, or throws */
	constructor(open = () => window.localStorage) {
		try {
			this.#storage = open();
		} catch {
			this.#storage = null;
		}
	}

	#read() {
		try {
			const known = JSON.parse(this.#storage?.getItem(key) ?? '{}');
			return {
				places: Array.isArray(known?.places) ? known.places.filter((p) => typeof p?.id === 'string' && Number.isFinite(p.time)) : [],
				settings: typeof known?.settings === 'object' && known.settings !== null ? known.settings : {},
			};
		} catch {
			return { places: [], settings: {} };
		}
	}

	#write(known) {
		try {
			this.#storage?.setItem(key, JSON.stringify(known));
		} catch {
			// Full, or forbidden: then not.
		}
	}

	/** Where a recording was left, in seconds; 0 if nothing is known. @param {string} id */
	place(id) {
		return this.#read().places.find((p) => p.id === id)?.time ?? 0;
	}

	/** @param {string} id  @param {number} time  0 forgets */
	leave(id, time) {
		const known = this.#read();
		known.places = known.places.filter((p) => p.id !== id);
		if (time > 0) {
			known.places.unshift({ id, time: Math.round(time) });
		}
		known.places = known.places.slice(0, most);
		this.#write(known);
	}

	/** A setting that was stored, if it has the type of what stands in for it. */
	setting(name, otherwise) {
		const { settings } = this.#read();
		return Object.hasOwn(settings, name) && typeof settings[name] === typeof otherwise ? settings[name] : otherwise;
	}

	keep(name, value) {
		const known = this.#read();
		known.settings[name] = value;
		this.#write(known);
	}
}
