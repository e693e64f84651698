// Where a recording may lead: to files of its own, and, as a link that somebody
// has to follow, to pages on the web.

/**
 * Makes the function that turns the name of a file, as it stands in a
 * recording, into an address below the recording's root. Whatever leads
 * elsewhere, to another host, with another scheme, or up, gives null.
 * @param {string} root ends in a slash
 * @returns {(name: unknown) => string|null}
 */
export function resolver(root) {
	return (name) => {
		if (typeof name !== 'string' || name.length > 1000) {
			return null;
		}
		const inside = name.startsWith(root) ? name.slice(root.length) : name;
		const parts = inside.split('/').map(plain);
		return parts.some((part) => part === null) ? null : root + parts.map((part) => encodeURIComponent(String(part))).join('/');
	};
}

/**
 * One part of a path, decoded; null if it is none that can name a file.
 * @param {string} part
 * @returns {string|null}
 */
function plain(part) {
	let name = part;
	try {
		name = decodeURIComponent(part);
	} catch {
		// A per cent sign that stands for itself.
	}
	return name === '' || name === '.' || name === '..' || /[\u0000-\u001f\u007f/\\:?#]/.test(name) ? null : name;
}

/**
 * The address of a page on the web; null for what is none: another scheme, a
 * name and password in it, a relative one.
 * @param {unknown} value
 * @returns {string|null}
 */
export function webLink(value) {
	if (typeof value !== 'string' || value.length > 2000 || !/^https?:\/\//i.test(value.trim())) {
		return null;
	}
	try {
		const url = new URL(value.trim());
		return /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' ? url.href : null;
	} catch {
		return null;
	}
}
