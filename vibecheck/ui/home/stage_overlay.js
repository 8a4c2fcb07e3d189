// The boxes of the faces and the tag of the mood, drawn over the camera's picture from the app's marks.
function makeOverlay(view) {
  const TOP = 96; // px at the top that the choice of live, photo or upload covers, plus a tag's height
  const { root, picture, faces } = view;
  let fading = 0;

  const clear = () => {
    clearTimeout(fading);
    faces.replaceChildren();
  };
  const draw = (mark) => {
    clearTimeout(fading);
    fading = setTimeout(clear, mark.keep * 1000);
    while (faces.children.length > mark.faces.length) faces.lastChild.remove();
    const mirrored = root.classList.contains("mirrored");
    const { clientWidth, clientHeight, offsetTop } = picture;
    mark.faces.forEach(([x, y, width, height], i) => {
      let box = faces.children[i];
      if (!box) {
        box = document.createElement("div");
        box.append(document.createElement("span"));
        faces.append(box);
      }
      const read = i === 0 && mark.text !== "";
      box.className = read ? "face read" : "face";
      box.style.borderColor = read ? mark.colour : "";
      const left = mirrored ? 1 - x - width : x;
      box.style.transform = `translate(${left * clientWidth}px, ${y * clientHeight}px)`;
      box.style.width = `${width * 100}%`;
      box.style.height = `${height * 100}%`;
      const tag = box.firstChild;
      tag.className = offsetTop + y * clientHeight < TOP ? "tag below" : "tag";
      tag.style.backgroundColor = read ? mark.colour : "";
      tag.textContent = read ? mark.text : "";
    });
  };
  return { draw, clear };
}
