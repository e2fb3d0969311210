// Stands in for react-custom-scrollbars-2 in the bundle: the bundler takes the module for its default export.
export { Scrollbars as default } from './node_modules/@grafana/ui/node_modules/react-custom-scrollbars-2/lib/index.js';
