// Finding in time: which entry counts at a moment, and which drawings change
// between two moments. Lists are sorted once, at loading; looking up is a binary
// search.

/**
 * The index of the last entry whose time is not after t; -1 if there is none.
 * Of several with the same time the last counts.
 * @template {{time: number}} T
 * @param {T[]} entries sorted by time
 * @param {number} t seconds
 * @returns {number}
 */
export function indexAt(entries, t) {
	let low = 0;
	let high = entries.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		if (entries[middle].time <= t) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low - 1;
}

/**
 * The last entry whose time is not after t; null if there is none.
 * @template {{time: number}} T
 * @param {T[]} entries sorted by time
 * @param {number} t seconds
 * @returns {T|null}
 */
export function entryAt(entries, t) {
	return entries[indexAt(entries, t)] ?? null;
}

/**
 * Whether t lies in one of the intervals. The end is outside.
 * @param {{start: number, stop: number}[]} intervals
 * @param {number} t seconds
 * @returns {boolean}
 */
export function within(intervals, t) {
	return intervals.some(({ start, stop }) => start <= t && t < stop);
}

/**
 * Sorts by time and keeps the order of what happens at once.
 * @template {{time: number}} T
 * @param {T[]} entries
 * @returns {T[]} the same list
 */
export function byTime(entries) {
	return entries.sort((a, b) => a.time - b.time);
}

/**
 * One version of a drawing.
 * @typedef {object} Version
 * @property {string} key which drawing this is a version of
 * @property {number} time seconds
 * @property {number|null} undo when it is taken away; null if never
 * @property {any} data what the painter reads
 * @property {number} [sequence] place of the drawing among all, by first version
 */

/**
 * One change of what is seen of a drawing: going forward over its time shows
 * `after`, going back over it shows `before`; null shows nothing.
 * @typedef {object} Change
 * @property {number} time
 * @property {string} key
 * @property {Version|null} after
 * @property {Version|null} before
 */

/**
 * All changes of a slide in the order of time.
 * @param {Version[]} versions in the order of the file
 * @param {boolean} revives whether an older version shows again when the newest
 * is taken away alone
 * @returns {Change[]}
 */
export function changesOf(versions, revives) {
	/** @type {Map<string, Version[]>} */
	const drawings = new Map();
	for (const version of versions) {
		const known = drawings.get(version.key);
		if (known) {
			version.sequence = known[0].sequence;
			known.push(version);
		} else {
			version.sequence = drawings.size;
			drawings.set(version.key, [version]);
		}
	}
	/** @type {Change[]} */
	const changes = [];
	for (const [key, own] of drawings) {
		follow(key, byTime(own), revives, changes);
	}
	return byTime(changes);
}

/**
 * Adds the changes of one drawing.
 * @param {string} key
 * @param {Version[]} versions sorted by time
 * @param {boolean} revives
 * @param {Change[]} changes
 */
function follow(key, versions, revives, changes) {
	const events = versions.flatMap((version) => {
		if (revives && version.undo !== null && version.undo <= version.time) {
			return [];
		}
		const added = { time: version.time, version, drop: false };
		return version.undo === null ? [added] : [added, { time: version.undo, version, drop: true }];
	});
	byTime(events);
	const gone = new Set();
	/** @type {Version[]} */
	const shown = [];
	/** @type {Version|null} */
	let before = null;
	events.forEach((event, i) => {
		if (event.drop) {
			gone.add(event.version);
		} else {
			shown.push(event.version);
		}
		if (i + 1 < events.length && events[i + 1].time === event.time) {
			return;
		}
		while (revives && shown.length > 0 && gone.has(shown[shown.length - 1])) {
			shown.pop();
		}
		const newest = shown[shown.length - 1] ?? null;
		const after = newest && gone.has(newest) ? null : newest;
		if (after !== before) {
			changes.push({ time: event.time, key, after, before });
			before = after;
		}
	});
}
