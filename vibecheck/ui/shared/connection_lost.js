// Streamlit's dialog about a lost connection, in the app's words. Only texts are changed: the dialog stays Streamlit's.
let watch = 0;

export default function ({ data }) {
  const say = () => {
    for (const dialog of document.querySelectorAll("[role=dialog]")) {
      const texts = document.createTreeWalker(dialog, NodeFilter.SHOW_TEXT);
      while (texts.nextNode()) {
        const ours = data.words[texts.currentNode.nodeValue.trim()];
        if (ours) texts.currentNode.nodeValue = ours;
      }
    }
  };
  clearInterval(watch); // of the run before
  watch = setInterval(say, 300);
  return () => clearInterval(watch);
}
