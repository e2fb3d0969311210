// The parts of a browser that Grafana's packages look for when they are loaded.

import { JSDOM } from 'jsdom';

const { window } = new JSDOM('<!doctype html>', { url: 'http://localhost/', pretendToBeVisual: true });
window.matchMedia = () => ({ matches: false, addListener() {}, addEventListener() {} });
window.grafanaBootData = { settings: {}, user: {}, navTree: [] };
const names = ['document', 'navigator', 'localStorage', 'location', 'history', 'HTMLElement', 'Element', 'Node', 'SVGElement'];
for (const name of [...names, 'self', 'Image', 'DOMParser', 'MutationObserver', 'getComputedStyle', 'matchMedia', 'requestAnimationFrame']) {
  Object.defineProperty(globalThis, name, { value: window[name], configurable: true, writable: true });
}
globalThis.window = window;
globalThis.IntersectionObserver = class {
  observe() {}
};
