// Hostile values made harmless. Everything in a recording was written by
// somebody else: whatever is read from it passes through here, and comes out as
// a number that is finite, a text that is bounded, a list that is one.

/** The largest magnitude a coordinate or a time may have. */
const far = 1e6;

/**
 * A finite number within bounds, from a number or a numeral; the fallback if it
 * is neither.
 * @param {unknown} value
 * @param {number} [fallback]
 * @param {number} [low]
 * @param {number} [high]
 * @returns {number}
 */
export function number(value, fallback = 0, low = -far, high = far) {
	const n = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
	if (typeof n !== 'number' || !Number.isFinite(n)) {
		return fallback;
	}
	return Math.min(high, Math.max(low, n));
}

/**
 * A time in seconds, never negative; null if there is none.
 * @param {unknown} value
 * @returns {number|null}
 */
export function seconds(value) {
	const n = number(value, NaN);
	return Number.isNaN(n) ? null : Math.max(0, n);
}

/**
 * A text of bounded length; empty if it is none. What XML cannot hold and what
 * turns the reading of the rest around goes.
 * @param {unknown} value
 * @param {number} [most] characters
 * @returns {string}
 */
export function string(value, most = 10000) {
	if (typeof value !== 'string') {
		return typeof value === 'number' && Number.isFinite(value) ? String(value) : '';
	}
	return value.slice(0, most).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u202d\u202e]/g, '');
}

/**
 * A list of bounded length; empty if it is none.
 * @param {unknown} value
 * @param {number} [most]
 * @param {() => void} [cut] called if there is more than is taken
 * @returns {any[]}
 */
export function list(value, most = 100000, cut) {
	if (!Array.isArray(value)) {
		return [];
	}
	if (value.length <= most) {
		return value;
	}
	cut?.();
	return value.slice(0, most);
}

/**
 * An object to read members from; an empty one if it is none.
 * @param {unknown} value
 * @returns {Record<string, any>}
 */
export function object(value) {
	return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : {};
}

/**
 * What a table of ours holds under a key that came from outside: never what
 * every object inherits.
 * @template T
 * @param {Record<string, T>} table
 * @param {unknown} key
 * @param {T} fallback
 * @returns {T}
 */
export function own(table, key, fallback) {
	return typeof key === 'string' && Object.hasOwn(table, key) ? table[key] : fallback;
}

/**
 * A number as short as a picture needs it.
 * @param {number} n
 * @returns {number}
 */
export function fix(n) {
	return Math.round(n * 100) / 100;
}
