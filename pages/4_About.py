"""About: what VibeCheck reads and what not, what it keeps, and which model it runs."""

import streamlit as st

from vibecheck.ui.shared import app, comet_status, delete_my_data, model_status, theme

app.start_page("About")
theme.intro(
    "Expressions, not feelings", "What VibeCheck sees, what it must not be used for, and what it keeps."
)

sees, keeps = st.columns(2, gap="small")
with sees, st.container(key="card-sees", height="stretch"):
    st.subheader("What it sees", anchor=False)
    st.markdown(
        "A model looks at the largest face and says how much its expression resembles those that people "
        "have called angry, disgusted, afraid, happy, neutral, sad or surprised. A face shows a part of what "
        "somebody feels, and sometimes none of it: the answer is a guess about a picture. Correct it freely; "
        "that is how anybody finds out how good it is."
    )
    st.subheader("What it is not for", anchor=False)
    st.markdown(
        "Not for judging people: not at work, not at school, not in interviews, exams or policing, and not "
        "anybody who has not agreed. In the European Union, reading emotions at workplaces and in education "
        "is forbidden (AI Act, Article 5), and elsewhere people must be told (Article 50)."
    )
with keeps, st.container(key="card-keeps", height="stretch"):
    st.subheader("What it keeps", anchor=False)
    st.markdown(
        f"""
You choose on Home, before every vibe check: *keep nothing but numbers*, *keep my face crop, so that the
model can learn*, or *keep nothing at all*: then the mood is shown and no record is written.

- **Video and photos** are read in memory and then gone. Where they came with a place or a date, that is
  dropped.
- **A vibe check** is kept as numbers: the seven probabilities, the model, the time, how the face was
  lit, how sharp, how large and how turned, and where its eyes, nose and mouth were.
- **Your face** is kept only if you say so: cut out at 320 px at most, without the room behind you. It
  trains models, and labellers may see it to say which mood it shows. Where you correct a mood whose
  picture was not kept, you are asked once whether the crop may stay; until you answer it waits in memory,
  ten minutes at most.
- **Your answers** are kept with the numbers. Some vibe checks, drawn at random, ask whether they were
  right: these answers measure how good the model is.
- **You** are a random number in a cookie of this browser, and in the records only a hash of it.
- **Copies** go to the Comet account of whoever runs this, where there is one; they are deleted
  with the rest.
- **After {app.settings().retention_days} days** all of it is deleted, or at once if you press the button.
- **The player** is Spotify's: what you play there is between you and Spotify.
"""
    )
    comet_status.disclosure()
    delete_my_data.delete_my_data()
with st.container(key="card-model"):
    st.subheader("Which model", anchor=False)
    st.markdown(model_status.card(app.live_model()))

app.end_page()
