// Taking HTML apart into text and tags, without a browser's parser: that one would
// look at the styles and handlers in it, and complain of each. What comes out is
// only ever used as text and as names to choose by, so that a fault in here can
// garble what is shown and do no more.

/**
 * A piece of HTML: text, decoded, or a tag by its name in small letters.
 * @typedef {{text: string}|{open: string, attribute: (name: string) => string|null}|{close: string}} Token
 */

/** Elements whose content is not for reading, and those that have none. */
const silent = new Set(['script', 'style', 'template', 'noscript', 'iframe', 'object', 'title', 'textarea', 'svg', 'math', 'select', 'audio', 'video']);
const empty = new Set(['br', 'hr', 'img', 'input', 'meta', 'link', 'base', 'embed', 'source', 'area', 'col', 'wbr', 'track', 'param']);

const attributes = /(?<![^\s/"'])([^\s=/"'<>]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+))/g;

const named = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0' };

/**
 * Whether an element has no content, and so no tag that ends it.
 * @param {string} name
 * @returns {boolean}
 */
export function isEmpty(name) {
	return empty.has(name);
}

/**
 * The pieces of a text of HTML. What is between the tags of a script and the
 * like is left out, with the tags.
 * @param {string} html
 * @returns {Generator<Token>}
 */
export function* tokens(html) {
	const tags = cutter(html);
	let hidden = '';
	let depth = 0;
	for (const { text, tag } of tags) {
		const name = /^\/?([a-z][^\s/>]*)/i.exec(tag)?.[1].toLowerCase() ?? '';
		const closes = tag.startsWith('/');
		if (hidden !== '') {
			depth += name !== hidden ? 0 : closes ? -1 : 1;
			hidden = depth > 0 ? hidden : '';
			continue;
		}
		if (text !== '') {
			yield { text: decode(text) };
		}
		if (silent.has(name)) {
			[hidden, depth] = closes || tag.endsWith('/') ? ['', 0] : [name, 1];
		} else if (name !== '') {
			yield closes ? { close: name } : { open: name, attribute: (wanted) => attributeOf(tag, wanted) };
		}
	}
}

/**
 * Cuts HTML into text and what stands between the brackets of the tag after it.
 * @param {string} html
 * @returns {Generator<{text: string, tag: string}>}
 */
function* cutter(html) {
	let from = 0;
	let quotes = true;
	let comments = true;
	for (let at = html.indexOf('<'); at >= 0; at = html.indexOf('<', at)) {
		const comment = html.startsWith('<!--', at);
		if (!comment && !/^[a-z/!?]/i.test(html.slice(at + 1, at + 2))) {
			at++;
			continue;
		}
		let end = -1;
		// What is never closed, a quote or a comment, is not looked for again.
		if (comment && comments) {
			end = html.indexOf('-->', at + 4);
			comments = end >= 0;
		} else if (!comment && quotes) {
			end = closing(html, at);
			quotes = end >= 0;
		}
		end = end < 0 ? html.indexOf('>', at) : end;
		if (end < 0) {
			break;
		}
		yield { text: html.slice(from, at), tag: comment ? '' : html.slice(at + 1, end) };
		from = at = end + (html.startsWith('-->', end) ? 3 : 1);
	}
	yield { text: html.slice(from), tag: '' };
}

/**
 * Where the tag ends that begins at a place; -1 if nowhere.
 * @param {string} html
 * @param {number} at
 * @returns {number}
 */
function closing(html, at) {
	const next = /["'>]/g;
	for (next.lastIndex = at; ;) {
		const found = next.exec(html);
		if (found === null || found[0] === '>') {
			return found?.index ?? -1;
		}
		next.lastIndex = html.indexOf(found[0], found.index + 1) + 1;
		if (next.lastIndex === 0) {
			return -1;
		}
	}
}

/**
 * @param {string} tag
 * @param {string} wanted
 * @returns {string|null}
 */
function attributeOf(tag, wanted) {
	for (const [, name, double, single, bare] of tag.slice(0, 8000).matchAll(attributes)) {
		if (name.toLowerCase() === wanted) {
			return decode(double ?? single ?? bare ?? '');
		}
	}
	return null;
}

/**
 * Text with its entities replaced. The rare ones the browser is asked for, one
 * by one.
 * @param {string} text
 * @returns {string}
 */
function decode(text) {
	return !text.includes('&') ? text : text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z][a-z0-9]{1,31}));/gi, (whole, decimal, hex, name) => {
		const code = decimal ? Number(decimal) : hex ? parseInt(hex, 16) : NaN;
		if (name) {
			return Object.hasOwn(named, name) ? named[name] : new DOMParser().parseFromString(whole, 'text/html').body.textContent ?? whole;
		}
		return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : '';
	});
}
