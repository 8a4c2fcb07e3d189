/* What is wrong with a page for people with low vision, without a mouse, or on a phone: a list of sentences. */
(phone) => {
  const problems = [];
  const shown = (node) => {
    const box = node.getBoundingClientRect();
    const style = getComputedStyle(node);
    return box.width > 1 && box.height > 1 && style.visibility !== "hidden" && node.checkVisibility({ opacityProperty: true });
  };
  const say = (node) => `<${node.tagName.toLowerCase()}> “${(node.innerText || node.ariaLabel || node.className || "").toString().trim().slice(0, 40)}”`;
  const parse = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, under) => ({
    r: top.r * top.a + under.r * (1 - top.a), g: top.g * top.a + under.g * (1 - top.a), b: top.b * top.a + under.b * (1 - top.a), a: 1,
  });
  const luminance = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const background = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.a > 0) layers.push(colour);
      if (colour.a === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), { r: 255, g: 255, b: 255, a: 1 });
  };
  const contrast = (a, b) => {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };

  if (document.querySelectorAll("h1").length !== 1) problems.push(`${document.querySelectorAll("h1").length} H1`);
  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].filter(shown).map((node) => Number(node.tagName[1]));
  levels.forEach((level, at) => {
    if (at && level > levels[at - 1] + 1) problems.push(`an H${level} follows an H${levels[at - 1]}`);
  });
  if (document.querySelector("[data-testid=stMain]")?.scrollWidth > innerWidth) problems.push("the page scrolls sideways");

  for (const node of document.querySelectorAll("button, a[href], input, select, textarea, [role=button], [role=radio], [role=img]")) {
    if (!shown(node) || node.closest("[aria-hidden=true]")) continue;
    const labelled = (node.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id)?.textContent).join("");
    const name = node.ariaLabel || labelled || node.textContent || node.alt || node.title || [...(node.labels || [])].map((l) => l.textContent).join("")
      || node.querySelector("img[alt]")?.alt;
    if (!name?.trim()) problems.push(`no name: ${node.outerHTML.slice(0, 120)}`);
  }

  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || seen.has(node) || !shown(node)) continue;
    seen.add(node);
    // Disabled controls are exempt (WCAG 1.4.3); emoji bring their own colours; Vega's labels are checked as SVG below.
    if (node.closest("[disabled], [aria-disabled=true], .vc-emoji, svg, script, style, [aria-hidden=true]")) continue;
    const style = getComputedStyle(node);
    let opacity = 1;
    for (let at = node; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
    const under = background(node);
    const colour = parse(style.color);
    colour.a *= opacity;
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const found = contrast(over(colour, under), under);
    if (found < (large ? 3 : 4.5)) problems.push(`contrast ${found.toFixed(1)}: ${say(node)}`);
  }
  for (const node of document.querySelectorAll("svg text")) {
    const fill = getComputedStyle(node).fill;
    if (!shown(node) || !fill.startsWith("rgb") || node.closest(".mark-text.role-mark")) continue;
    const under = background(node.closest("svg"));
    const found = contrast(over(parse(fill), under), under);
    if (found < 4.5) problems.push(`contrast ${found.toFixed(1)} in a chart: ${node.textContent}`);
  }

  if (phone) {
    for (const node of document.querySelectorAll("[data-testid=stMain] :is(button, a[href], summary, input, [role=radio])")) {
      const box = node.getBoundingClientRect();
      if (!shown(node) || node.tabIndex < 0 || node.closest("[data-testid=stElementToolbar], p, li, svg, .vega-bindings, details.vega-actions")) continue;
      // What has a larger label or frame around it is pressed by that.
      const around = node.closest("label, [data-baseweb=select], [data-baseweb=input]")?.getBoundingClientRect() || box;
      const height = Math.max(box.height, around.height);
      if (height < 43.5) problems.push(`a target of ${height.toFixed(0)} px: ${say(node)}`);
    }
  }
  return problems;
}
