// What the address of the page says: which recording, where to begin, and how to
// lay it out. The same words as those of BBB's own player, so that links stay
// good.

/**
 * A time like 1h2m3s, 2m or 75, in seconds; null if it is none.
 * @param {string|null} text
 */
export function parseTime(text) {
	const found = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?$/.exec(text ?? '');
	if (!text || !found) {
		return null;
	}
	const [hours, minutes, seconds] = found.slice(1).map((n) => Number(n ?? 0));
	const time = hours * 3600 + minutes * 60 + seconds;
	return Number.isFinite(time) ? time : null;
}

/** The other way round. @param {number} seconds */
export function formatTime(seconds) {
	const s = Math.max(0, Math.floor(seconds));
	const hours = Math.floor(s / 3600);
	const minutes = Math.floor(s / 60) % 60;
	return (hours ? `${hours}h` : '') + (minutes || hours ? `${minutes}m` : '') + `${s % 60}s`;
}

/**
 * Takes the address of the page apart.
 * @param {URL} url
 * @returns {{id: string, kind: 'presentation'|'podcast', file: string, time: number|null, layout: string}}
 */
export function parseAddress(url) {
	const parts = url.pathname.split('/').filter(Boolean);
	const podcast = parts[0] === 'podcast';
	return {
		kind: podcast ? 'podcast' : 'presentation',
		id: (podcast ? parts[1] : parts[3]) ?? '',
		file: podcast ? parts.at(-1) ?? '' : '',
		time: parseTime(url.searchParams.get('t')),
		layout: url.searchParams.get('l') ?? '',
	};
}

/**
 * The address of the page at a time, in the language and layout of whoever
 * follows it.
 * @param {URL} url  @param {number} time
 */
export function linkTo(url, time) {
	const link = new URL(url);
	link.search = `?t=${formatTime(time)}`;
	link.hash = '';
	return link.href;
}
