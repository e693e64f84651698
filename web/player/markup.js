// What people wrote, taken apart without trusting it: a chat message becomes
// parts of plain text and links, shared notes become elements of our own making.

import { isEmpty, tokens } from './html.js';
import { webLink } from './links.js';
import { string } from './values.js';

/**
 * A part of a message: plain text, or a link if it has an address.
 * @typedef {{text: string, href?: string}} Part
 */

/** Elements after which a new line begins. */
const breaking = new Set(['p', 'div', 'li', 'tr']);

/** What a message may have of parts. */
const mostParts = 200;

/** Addresses in running text, and Markdown's way to write a link. */
const addresses = /!?\[([^\]\n]{0,300})\]\((https?:\/\/[^\s()<>]+)\)|https?:\/\/[^\s<>"“”«»]+/gi;

/**
 * The parts of a message that came as a fragment of HTML. A link is shown by
 * its address, so that it cannot seem to lead elsewhere; text is as typed.
 * @param {unknown} html
 * @param {(name: unknown) => string|null} [resolve] addresses of files of the recording
 * @returns {Part[]}
 */
export function messageParts(html, resolve = () => null) {
	const source = string(html, 20000);
	/** @type {Part[]} */
	const parts = [];
	let linked = false;
	for (const token of tokens(source)) {
		if (parts.length >= mostParts) {
			break;
		}
		if ('text' in token && !linked) {
			addText(parts, token.text);
		} else if ('open' in token) {
			const name = token.open === 'a' ? 'href' : token.open === 'img' ? 'src' : '';
			const added = name !== '' && addLink(parts, token.attribute(name) ?? '', resolve);
			linked = token.open === 'a' ? added : linked;
		} else if ('close' in token) {
			linked &&= token.close !== 'a';
		}
		if (('open' in token && token.open === 'br') || ('close' in token && breaking.has(token.close))) {
			join(parts, '\n');
		}
	}
	return trimmed(parts);
}

/**
 * @param {Part[]} parts
 * @param {string} link
 * @param {(name: unknown) => string|null} resolve
 * @returns {boolean} whether it leads somewhere it may
 */
function addLink(parts, link, resolve) {
	const href = webLink(link) ?? resolve(link);
	if (href) {
		parts.push({ href, text: webLink(link) ? link.trim() : link.replace(/^.*\//, '') });
	}
	return href !== null;
}

/**
 * Adds text, and the addresses in it as links.
 * @param {Part[]} parts
 * @param {string} text
 */
function addText(parts, text) {
	let from = 0;
	for (const match of text.matchAll(addresses)) {
		const written = match[2] ?? match[0].replace(/[.,;:!?'")\]}*_]+$/, '');
		const href = webLink(written);
		if (!href || parts.length >= mostParts) {
			continue;
		}
		join(parts, text.slice(from, match.index) + (match[1] ? match[1] + ' ' : ''));
		parts.push({ href, text: written });
		from = match.index + (match[2] ? match[0].length : written.length);
	}
	join(parts, text.slice(from));
}

/**
 * Adds plain text to the part before, if that is plain too.
 * @param {Part[]} parts
 * @param {string} text
 */
function join(parts, text) {
	const last = parts[parts.length - 1];
	if (text !== '' && last && last.href === undefined) {
		last.text += text;
	} else if (text !== '') {
		parts.push({ text });
	}
}

/**
 * @param {Part[]} parts
 * @returns {Part[]} without the empty lines at the end
 */
function trimmed(parts) {
	const last = parts[parts.length - 1];
	if (last && last.href === undefined) {
		last.text = last.text.replace(/\s+$/, '');
		return last.text === '' ? parts.slice(0, -1) : parts;
	}
	return parts;
}

/** What notes may consist of, and as what it is shown. */
const noteElements = {
	p: 'p', br: 'br', ul: 'ul', ol: 'ol', li: 'li', strong: 'strong', b: 'strong', em: 'em', i: 'em', u: 'u',
	s: 's', strike: 's', del: 's', h1: 'h3', h2: 'h4', h3: 'h5', h4: 'h6', h5: 'h6', h6: 'h6', code: 'code', pre: 'pre',
	blockquote: 'blockquote', div: 'div', sub: 'sub', sup: 'sup', table: 'table', tbody: 'tbody', thead: 'thead',
	tr: 'tr', td: 'td', th: 'th', hr: 'hr',
};

/** Elements that end where their like begins. */
const single = new Set(['p', 'li', 'tr', 'td', 'th']);

/** What notes may have of pieces, and how deep they may lie in each other. */
const mostNotes = 50000;
const deepest = 50;

/**
 * The body of a document of shared notes as elements without attributes, but
 * for the addresses of links to the web.
 * @param {unknown} html
 * @param {() => void} [cut] called if there is more than is shown
 * @returns {DocumentFragment}
 */
export function notesFragment(html, cut) {
	const made = document.createDocumentFragment();
	/** @type {{name: string, node: Node}[]} */
	const open = [{ name: '', node: made }];
	let left = mostNotes;
	for (const token of tokens(string(html, 2000000))) {
		if (left-- <= 0) {
			cut?.();
			break;
		}
		if ('text' in token) {
			open[open.length - 1].node.appendChild(document.createTextNode(token.text));
		} else if ('open' in token) {
			begin(open, token);
		} else {
			const at = open.findLastIndex(({ name }) => name === token.close);
			open.length = at > 0 ? at : open.length;
		}
	}
	return made;
}

/**
 * @param {{name: string, node: Node}[]} open elements, from the outside in
 * @param {{open: string, attribute: (name: string) => string|null}} token
 */
function begin(open, token) {
	const node = noteElement(token);
	if (node === null || open.length > deepest) {
		return;
	}
	if (single.has(token.open) && open[open.length - 1].name === token.open) {
		open.pop();
	}
	open[open.length - 1].node.appendChild(node);
	if (!isEmpty(token.open)) {
		open.push({ name: token.open, node });
	}
}

/**
 * @param {{open: string, attribute: (name: string) => string|null}} token
 * @returns {HTMLElement|null}
 */
function noteElement(token) {
	const href = token.open === 'a' ? webLink(token.attribute('href')) : null;
	if (href) {
		const link = document.createElement('a');
		link.href = href;
		link.rel = 'noopener noreferrer nofollow';
		link.target = '_blank';
		return link;
	}
	return Object.hasOwn(noteElements, token.open) ? document.createElement(noteElements[token.open]) : null;
}
