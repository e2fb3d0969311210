// Opens the dashboards and follows their links with Grafana's own code, against a real Prometheus and without a server.
//
// Reads {"prometheus": URL, "dashboards": [...], "open": [addresses]} and prints the links of every series and cell, what
// each of them and of the addresses opens (the choices of its variables, every query as Grafana would send it, and how many
// series it returns), and what is no LogQL.

import './scenes_page.js';
import {
  applyFieldOverrides,
  createTheme,
  FieldType,
  locationUtil,
  Registry,
  standardTransformers,
  standardTransformersRegistry,
  toDataFrame,
  transformDataFrame,
} from '@grafana/data';
import { parser } from '@grafana/lezer-logql';
import { setDataSourceSrv } from '@grafana/runtime';
import {
  DataSourceVariable,
  EmbeddedScene,
  QueryVariable,
  SceneFlexLayout,
  sceneGraph,
  SceneTimeRange,
  SceneVariableSet,
  sceneUtils,
  TextBoxVariable,
} from '@grafana/scenes';
import { readFileSync, writeSync } from 'node:fs';
import { lastValueFrom } from 'rxjs';

const { dashboards, prometheus, open } = JSON.parse(readFileSync(0, 'utf8'));
const theme = createTheme();

async function ask(path, parameters) {
  const answer = await fetch(`${prometheus}/api/v1/${path}?${new URLSearchParams(parameters)}`);
  const { data, error } = await answer.json();
  if (error) {
    throw new Error(`${error}: ${parameters.query}`);
  }
  return data;
}

// What the Prometheus and the Loki plugin do with the values of a variable.
const escaped = (text) => text.replace(/[\\^$*+?.()|[\]{}]/g, '\\\\$&');
const asPattern = (value) => (Array.isArray(value) ? (value.length > 1 ? `(${value.map(escaped).join('|')})` : escaped(value[0])) : value);

function interpolated(scene, expr) {
  const timed = expr.replaceAll('$__rate_interval', '20s').replaceAll('$__range', '60s');
  return sceneGraph.interpolate(scene, timed, undefined, asPattern);
}

const settings = ['prometheus', 'loki'].map((type) => ({ uid: `made-up-${type}`, name: type, type, meta: { id: type } }));
const source = {
  ...settings[0],
  async metricFindQuery(query, { scopedVars }) {
    const [, series, label] = interpolated(scopedVars.__sceneObject.value.valueOf(), query).match(/^label_values\((.*), (\w+)\)$/);
    return (await ask(`label/${label}/values`, { 'match[]': series })).map((text) => ({ text }));
  },
};
setDataSourceSrv({
  get: async () => source,
  getInstanceSettings: () => settings[0],
  getList: ({ pluginId }) => settings.filter(({ type }) => type === pluginId),
});
locationUtil.initialize({ config: { appSubUrl: '' } });
standardTransformersRegistry.setInit(() =>
  [standardTransformers.organizeFieldsTransformer, standardTransformers.groupingToMatrixTransformer].map((transformation) => ({
    ...transformation,
    transformation: () => Promise.resolve(transformation),
  }))
);
const fieldConfigRegistry = new Registry(() =>
  ['links', 'displayName'].map((id) => ({ id, path: id, name: id, process: (value) => value, shouldApply: () => true }))
);

function variable({ type, name, query, current, ...rest }) {
  switch (type) {
    case 'datasource':
      return new DataSourceVariable({ name, pluginId: query, value: current?.value ?? '' });
    case 'textbox':
      return new TextBoxVariable({ name, value: query });
    case 'query':
      return new QueryVariable({ name, query, datasource: rest.datasource, refresh: rest.refresh, sort: rest.sort,
        isMulti: rest.multi, includeAll: rest.includeAll, allValue: rest.allValue, value: current.value, text: current.text });
    default:
      throw new Error(`no variable of type ${type}`);
  }
}

async function opened(dashboard, search = '') {
  const variables = new SceneVariableSet({ variables: dashboard.templating.list.map(variable) });
  const scene = new EmbeddedScene({
    $variables: variables,
    $timeRange: new SceneTimeRange({ from: 'now-1m', to: 'now' }),
    body: new SceneFlexLayout({ children: [] }),
  });
  sceneUtils.syncStateFromSearchParams(scene, new URLSearchParams(search));
  scene.activate();
  for (const deadline = Date.now() + 10_000; variables.state.variables.some((one) => variables.isVariableLoadingOrWaitingToUpdate(one)); ) {
    if (Date.now() > deadline) {
      throw new Error('the variables of a dashboard are not loaded within ten seconds');
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return scene;
}

const panelsOf = (dashboard) => dashboard.panels.flatMap((panel) => (panel.type === 'row' ? panel.panels : [panel]));
const isPrometheus = (target) => target.datasource.type === 'prometheus';

function frame(refId, { metric, value }) {
  const time = { name: 'Time', type: FieldType.time, values: [value[0] * 1000] };
  return toDataFrame({ refId, fields: [time, { name: 'Value', type: FieldType.number, labels: metric, values: [Number(value[1])] }] });
}

function table(refId, result) {
  const labels = [...new Set(result.flatMap(({ metric }) => Object.keys(metric)))];
  const column = (name) => ({ name, type: FieldType.string, values: result.map(({ metric }) => metric[name] ?? '') });
  return toDataFrame({ refId, fields: labels.map(column) });
}

// The links of every series and cell of a panel, as Grafana makes them.
async function linksOf(scene, panel) {
  const frames = [];
  for (const target of (panel.targets ?? []).filter(isPrometheus)) {
    const { result } = await ask('query', { query: interpolated(scene, target.expr) });
    frames.push(...(panel.type === 'table' ? [table(target.refId, result)] : result.map((series) => frame(target.refId, series))));
  }
  const data = applyFieldOverrides({
    data: await lastValueFrom(transformDataFrame(panel.transformations ?? [], frames)),
    fieldConfig: panel.fieldConfig,
    fieldConfigRegistry,
    replaceVariables: (text, scoped, format) => sceneGraph.interpolate(scene, text, scoped, format),
    theme,
  });
  return data.flatMap(({ fields, length }) =>
    fields
      .filter(({ type }) => type !== FieldType.time)
      .flatMap((field) => Array.from({ length }, (_, valueRowIndex) => field.getLinks?.({ valueRowIndex }) ?? []).flat())
  );
}

async function target(href) {
  const { pathname, search } = new URL(href, 'http://localhost');
  const dashboard = dashboards.find(({ uid }) => pathname === `/d/${uid}`);
  const scene = await opened(dashboard, search);
  const variables = {};
  for (const { state } of scene.state.$variables.state.variables) {
    variables[state.name] = { value: state.value, options: (state.options ?? []).map(({ value }) => value) };
  }
  const queries = [];
  for (const panel of panelsOf(dashboard)) {
    for (const one of panel.targets) {
      const query = interpolated(scene, one.expr);
      const series = isPrometheus(one) ? (await ask('query', { query })).result.length : null;
      queries.push({ panel: panel.title, query, series });
    }
  }
  return { variables, queries };
}

function logqlErrors(query) {
  const errors = [];
  parser.parse(query).iterate({ enter: ({ type, from }) => void (type.isError && errors.push(`${query}: at ${from}`)) });
  return errors;
}

async function main() {
  const links = [];
  const errors = [];
  for (const dashboard of dashboards) {
    const scene = await opened(dashboard);
    for (const panel of panelsOf(dashboard)) {
      links.push(...(await linksOf(scene, panel)).map(({ href }) => ({ panel: panel.title, href })));
      const logql = panel.targets.filter((one) => !isPrometheus(one)).map(({ expr }) => interpolated(scene, expr));
      errors.push(...logql.flatMap(logqlErrors));
    }
    for (const { url, title } of dashboard.links) {
      links.push({ panel: title, href: sceneGraph.interpolate(scene, `${url}?\${__url_time_range}&\${__all_variables}`) });
    }
  }
  const addresses = new Set([...open, ...links.map(({ href }) => href).filter((href) => href.startsWith('/d/'))]);
  const targets = {};
  for (const href of addresses) {
    targets[href] = await target(href);
  }
  writeSync(1, JSON.stringify({ links, targets, errors }));
  // Without this, the page's timers keep the process alive.
  process.exit(0);
}

main();
