import { LineChart } from 'echarts/charts'
import { GridComponent, LegendComponent, TooltipComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { CanvasRenderer } from 'echarts/renderers'

use([LineChart, GridComponent, LegendComponent, TooltipComponent, CanvasRenderer])

export type Line = { name: string; values: (number | null)[] }

const DASHES = ['solid', 'dashed', 'dotted', [8, 3, 2, 3]] as const

/** Colours are CSS variables; a canvas needs their values of the present theme. */
const colour = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

/** Draws lines over names and returns what takes them away again. Lines differ by dash and mark too, and tooltips are
 *  drawn into the canvas: as HTML they would carry inline styles. */
export function draw(element: HTMLElement, names: string[], lines: Line[]): () => void {
  const chart = init(element, null, { renderer: 'canvas' })
  const text = { color: colour('--ink-2'), fontFamily: 'Inter Variable, sans-serif' }
  const grid = { lineStyle: { color: colour('--line') } }
  chart.setOption({
    animation: !window.matchMedia('(prefers-reduced-motion: reduce)').matches,
    color: ['--accent', '--ok', '--candidate', '--warn'].map(colour),
    textStyle: text,
    grid: { left: 44, right: 16, top: 36, bottom: 28 },
    legend: { top: 0, left: 0, textStyle: text },
    tooltip: {
      trigger: 'axis',
      renderMode: 'richText',
      backgroundColor: colour('--panel'),
      borderColor: colour('--line-strong'),
      textStyle: text,
    },
    xAxis: { type: 'category', data: names, axisLabel: text },
    yAxis: { type: 'value', scale: true, axisLabel: text, splitLine: grid },
    series: lines.map((line, at) => ({
      type: 'line',
      name: line.name,
      data: line.values,
      connectNulls: true,
      symbol: ['circle', 'rect', 'triangle', 'diamond'][at % 4],
      symbolSize: 7,
      lineStyle: { type: DASHES[at % DASHES.length] },
    })),
  })
  const watch = new ResizeObserver(() => chart.resize())
  watch.observe(element)
  return () => {
    watch.disconnect()
    chart.dispose()
  }
}
