// Draws the panels of one dashboard with Grafana's components, from data that stands in window.DRAWING.
// No server and no query here: what Prometheus answered is already in the page.

import {
  applyFieldOverrides,
  createTheme,
  dateTime,
  FieldType,
  formattedValueToString,
  getValueFormat,
  Registry,
  standardTransformers,
  standardTransformersRegistry,
  ThemeContext,
  toDataFrame,
  transformDataFrame,
} from '@grafana/data';
import { BigValue, GlobalStyles, PanelChrome, Table, TimeSeries } from '@grafana/ui';
import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { lastValueFrom } from 'rxjs';

const { dashboard, results, from, to, width } = window.DRAWING;

// The caller looks for this in the finished page: a picture of a broken page is no picture.
const report = (error) => {
  document.body.dataset.error = String(error?.stack ?? error);
};

const COLUMNS = 24;
const UNIT = 38; // Grafana's grid: 30 pixels and a gap of 8
const GAP = 8;
const TITLE = 40;
const PADDING = 8;

const theme = createTheme({ colors: { mode: 'dark' } });

// Grafana's application registers these; the packages only define how they are used.
standardTransformersRegistry.setInit(() =>
  [standardTransformers.organizeFieldsTransformer, standardTransformers.groupingToMatrixTransformer].map(
    (transformation) => ({
      id: transformation.id,
      name: transformation.name,
      transformation: () => Promise.resolve(transformation),
    })
  )
);
const option = (path, isCustom) => ({
  id: isCustom ? `custom.${path}` : path,
  path,
  name: path,
  isCustom,
  process: (value) => value,
  shouldApply: () => true,
});
const STANDARD = ['unit', 'min', 'max', 'decimals', 'displayName', 'noValue', 'mappings', 'thresholds', 'color', 'links'];
const CUSTOM = ['lineWidth', 'fillOpacity', 'lineStyle', 'stacking', 'showPoints', 'drawStyle', 'cellOptions', 'width', 'thresholdsStyle', 'axisSoftMax'];
const fieldConfigRegistry = new Registry(() => [
  ...STANDARD.map((path) => option(path, false)),
  ...CUSTOM.map((path) => option(path, true)),
]);

const timeRange = {
  from: dateTime(from * 1000),
  to: dateTime(to * 1000),
  raw: { from: dateTime(from * 1000), to: dateTime(to * 1000) },
};

function legend(format, metric) {
  return format ? format.replace(/{{\s*(\w+)\s*}}/g, (_, label) => metric[label] ?? '') : undefined;
}

function seriesFrames(target, result) {
  return result.map(({ metric, values }) =>
    toDataFrame({
      refId: target.refId,
      fields: [
        { name: 'Time', type: FieldType.time, values: values.map(([time]) => time * 1000) },
        {
          name: 'Value',
          type: FieldType.number,
          labels: metric,
          values: values.map(([, text]) => (Number.isNaN(Number(text)) ? null : Number(text))),
          config: { displayNameFromDS: legend(target.legendFormat, metric) },
        },
      ],
    })
  );
}

function tableFrame(target, result) {
  const labels = [...new Set(result.flatMap(({ metric }) => Object.keys(metric)))].sort();
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: result.map(({ value }) => value[0] * 1000) },
      ...labels.map((label) => ({
        name: label,
        type: FieldType.string,
        values: result.map(({ metric }) => metric[label] ?? ''),
      })),
      { name: 'Value', type: FieldType.number, values: result.map(({ value }) => Number(value[1])) },
    ],
  });
}

async function framesOf(panel) {
  const frames = panel.targets.flatMap((target) => {
    const result = results[`${panel.id}/${target.refId}`];
    if (result.length === 0) {
      return [];
    }
    return target.instant ? [tableFrame(target, result)] : seriesFrames(target, result);
  });
  const transformed = panel.transformations?.length
    ? await lastValueFrom(transformDataFrame(panel.transformations, frames, { interpolate: (text) => text }))
    : frames;
  return applyFieldOverrides({
    data: transformed,
    fieldConfig: { defaults: panel.fieldConfig.defaults, overrides: panel.fieldConfig.overrides ?? [] },
    fieldConfigRegistry,
    replaceVariables: (text) => text,
    theme,
    timeZone: 'utc',
  });
}

function Stat({ frames, panel, width, height }) {
  const [time, field] = frames[0].fields;
  return (
    <BigValue
      value={field.display(field.values[field.values.length - 1])}
      sparkline={{ x: time, y: field }}
      width={width}
      height={height}
      theme={theme}
      colorMode={panel.options.colorMode}
      graphMode={panel.options.graphMode}
      justifyMode="auto"
      textMode="value"
    />
  );
}

// Grafana's heatmap is a part of its application, not of its packages: these are the same cells, drawn here.
function Heatmap({ frames, panel, width, height }) {
  const left = 56;
  const bottom = 20;
  const byBound = frames
    .map(({ fields: [time, field] }) => ({ bound: Number(field.labels.le.replace('+Inf', 'Infinity')), times: time.values, counts: field.values }))
    .sort((a, b) => a.bound - b.bound);
  const rows = byBound.map(({ bound, times, counts }, index) => ({
    bound,
    times,
    counts: counts.map((count, at) => count - (byBound[index - 1]?.counts[at] ?? 0)),
  }));
  const most = Math.max(...rows.flatMap(({ counts }) => counts));
  const cell = { width: (width - left) / rows[0].times.length, height: (height - bottom) / rows.length };
  const format = getValueFormat(panel.fieldConfig.defaults.unit);
  const label = { fill: theme.colors.text.secondary, fontSize: 12 };
  const at = (index) => left + index * cell.width;
  return (
    <svg width={width} height={height}>
      {rows.map(({ bound, times, counts }, row) => {
        const top = (rows.length - 1 - row) * cell.height;
        return (
          <g key={bound}>
            <text x={left - 6} y={top + cell.height / 2 + 4} textAnchor="end" {...label}>
              {Number.isFinite(bound) ? formattedValueToString(format(bound)) : '∞'}
            </text>
            {times.map((time, index) => (
              <rect key={time} x={at(index)} y={top + 1} width={cell.width} height={cell.height - 1}
                fill={`rgba(255, 152, 48, ${counts[index] > 0 ? 0.1 + 0.9 * Math.sqrt(counts[index] / most) : 0})`} />
            ))}
          </g>
        );
      })}
      {rows[0].times.map((time, index) =>
        time % 60_000 < 2_000 ? (
          <text key={time} x={at(index)} y={height - 4} textAnchor="middle" {...label}>
            {dateTime(time).utc().format('HH:mm')}
          </text>
        ) : null
      )}
    </svg>
  );
}

function Content({ frames, panel, width, height }) {
  if (!frames.some((frame) => frame.length > 0)) {
    return <div style={{ width, height, display: 'grid', placeItems: 'center' }}>{panel.fieldConfig.defaults.noValue}</div>;
  }
  switch (panel.type) {
    case 'timeseries':
      return (
        <TimeSeries
          frames={frames}
          width={width}
          height={height}
          timeRange={timeRange}
          timeZone="utc"
          legend={panel.options.legend}
          options={panel.options}
        />
      );
    case 'stat':
      return <Stat frames={frames} panel={panel} width={width} height={height} />;
    case 'heatmap':
      return <Heatmap frames={frames} panel={panel} width={width} height={height} />;
    case 'table':
      return (
        <Table
          data={frames[0]}
          width={width}
          height={height}
          initialSortBy={panel.options.sortBy}
          fieldConfig={panel.fieldConfig}
          timeRange={timeRange}
        />
      );
    default:
      throw new Error(`no component for a panel of type ${panel.type}`);
  }
}

function Row({ panel, height }) {
  return <h2 style={{ fontSize: 16, lineHeight: `${height}px`, margin: 0 }}>{panel.title}</h2>;
}

function DataPanel({ panel, width, height }) {
  const [frames, setFrames] = useState();
  useEffect(() => {
    framesOf(panel).then(setFrames, report);
  }, [panel]);
  return (
    <PanelChrome title={panel.title} width={width} height={height}>
      {(innerWidth, innerHeight) =>
        frames && <Content frames={frames} panel={panel} width={innerWidth} height={innerHeight} />
      }
    </PanelChrome>
  );
}

function OnGrid({ panel }) {
  const column = (width - 2 * PADDING) / COLUMNS;
  const { x, y, w, h } = panel.gridPos;
  const size = { width: w * column - GAP, height: h * UNIT - GAP };
  const Kind = panel.type === 'row' ? Row : DataPanel;
  return (
    <div style={{ position: 'absolute', left: PADDING + x * column, top: TITLE + y * UNIT, ...size }}>
      <Kind panel={panel} {...size} />
    </div>
  );
}

createRoot(document.getElementById('root'), { onUncaughtError: report, onCaughtError: report }).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <div style={{ position: 'relative', background: theme.colors.background.canvas, minHeight: '100vh' }}>
      <h1 style={{ fontSize: 20, lineHeight: `${TITLE}px`, margin: 0, paddingLeft: PADDING }}>{dashboard.title}</h1>
      {dashboard.panels.map((panel) => (
        <OnGrid key={panel.id} panel={panel} />
      ))}
    </div>
  </ThemeContext.Provider>
);
