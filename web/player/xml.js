// Reading XML that may be damaged. A parsed document is only read from, none of
// its nodes ever gets into the page; a DOCTYPE is not fetched.

import { number } from './values.js';

const xlink = 'http://www.w3.org/1999/xlink';

/**
 * @typedef {object} Parsed
 * @property {Document} document what could be read, up to the first fault
 * @property {boolean} damaged
 */

const tag = /<\/?[a-zA-Z](?:[^<>"']|"[^"<]*"|'[^'<]*')*>/g;
const attribute = /([^\s=<>"']+)(\s*=\s*(?:"[^"]*"|'[^']*'))/g;
const active = /^(<\/?)((?:[\w-]+:)?(?:script|style|base|link)(?=[\s/>]))/i;

/**
 * Renames what a browser would look at already when it parses, to say that the
 * page's policy forbids it: styles and handlers of elements, and scripts. They
 * are then found as data-style, data-onclick and x-script.
 * @param {string} text
 * @returns {string}
 */
export function inert(text) {
	return !text.includes('xmlns') ? text : text.replace(tag, (whole) => whole
		.replace(attribute, (all, name) => (/^(style$|on)/i.test(name) ? 'data-' + all : all)).replace(active, (all, bracket, name) => bracket + 'x-' + name.replace(':', '-')));
}

/**
 * Parses a file. Of a damaged one the part before the fault is kept. A browser
 * that keeps nothing reads it as it would a page, which bears every fault.
 * @param {string} text
 * @returns {Parsed}
 */
export function parse(text) {
	const parser = new DOMParser();
	const source = inert(text.replace(/^\ufeff?\s+/, ''));
	const document = parser.parseFromString(source, 'text/xml');
	const damaged = document.getElementsByTagName('parsererror').length > 0;
	const nothing = document.documentElement.localName === 'parsererror';
	return { document: nothing ? parser.parseFromString(source, 'text/html') : document, damaged };
}

/**
 * The elements with a name, whatever their namespace, in the order of the file.
 * In what was read as a page, names may have lost their capitals.
 * @param {Document|Element} node
 * @param {string} name
 * @returns {Element[]}
 */
export function all(node, name) {
	const found = node.getElementsByTagNameNS('*', name);
	return Array.from(found.length > 0 ? found : node.getElementsByTagNameNS('*', name.toLowerCase()));
}

/**
 * The text of the first element with a name; empty if there is none.
 * @param {Document|Element} node
 * @param {string} name
 * @returns {string}
 */
export function textOf(node, name) {
	return (all(node, name)[0]?.textContent ?? '').trim();
}

/**
 * Where an element refers to; empty if to nothing.
 * @param {Element} element
 * @returns {string}
 */
export function hrefOf(element) {
	return element.getAttributeNS(xlink, 'href') ?? element.getAttribute('xlink:href') ?? element.getAttribute('href') ?? '';
}

/**
 * The numbers in a text that are divided by spaces or commas; null unless there
 * are as many as wanted, all finite.
 * @param {string} text
 * @param {number} count
 * @returns {number[]|null}
 */
export function numbers(text, count) {
	const found = text.trim().split(/[\s,]+/).map((word) => number(word, NaN));
	return found.length === count && !found.some(Number.isNaN) ? found : null;
}
