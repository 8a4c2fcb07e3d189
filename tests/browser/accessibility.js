/* What axe-core does not measure, as a list of sentences: sideways scrolling, and on a phone the size of targets. */
(phone) => {
  const problems = [];
  if (document.querySelector("[data-testid=stMain]")?.scrollWidth > innerWidth) problems.push("the page scrolls sideways");
  for (const node of phone ? document.querySelectorAll("[data-testid=stMain] :is(button, a[href], summary, input, [role=radio])") : []) {
    const box = node.getBoundingClientRect();
    if (box.width <= 1 || box.height <= 1 || !node.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (node.tabIndex < 0 || node.closest("[data-testid=stElementToolbar], p, li, svg, .vega-bindings, details.vega-actions")) continue;
    // What has a larger label or frame around it is pressed by that.
    const around = node.closest("label, [data-baseweb=select], [data-baseweb=input]")?.getBoundingClientRect() || box;
    const height = Math.max(box.height, around.height);
    if (height < 43.5) problems.push(`a target of ${height.toFixed(0)} px: ${node.outerHTML.slice(0, 120)}`);
  }
  return problems;
}
