"""About: what VibeCheck reads and what it does not, what it keeps, and which model runs."""

import streamlit as st

from vibecheck.text.plurals import counted
from vibecheck.ui.shared import app, comet_status, delete_my_data, model_status, theme

app.start_page("About")
delete_my_data.follow_deletion()
theme.intro("Expressions, not feelings", "What VibeCheck sees, what it must not be used for, what it keeps.")

days = counted(app.settings().retention_days, "day")
sees, keeps = st.columns([1, 1.25], gap="small")
with sees, st.container(key="card-sees", height="stretch"):
    st.header("What it sees", anchor=False)
    st.markdown(
        "A model looks at the largest face and rates how much its expression resembles those that people "
        "call angry, disgusted, afraid, happy, neutral, sad or surprised. That is a guess about a picture: a "
        "face shows part of what somebody feels, sometimes none of it. Correct it when it is wrong: "
        "your answers measure its accuracy and train it."
    )
    st.header("What it is not for", anchor=False)
    st.markdown(
        "Judging people at work or school, in interviews, exams or policing, or reading anybody who has not "
        "agreed. The EU AI Act forbids emotion recognition at workplaces and in education (Article 5); "
        "everywhere else, people must be told (Article 50)."
    )
with keeps, st.container(key="card-keeps", height="stretch"):
    st.header("What it keeps", anchor=False)
    st.markdown(
        f"""
You choose on Home: *nothing but numbers*, *my face crop too*, or *nothing at all*.

- **Video and photos** are read in memory and discarded.
- **Numbers** of a vibe check: the seven probabilities, the model, the time, and how the face was lit.
- **Your face** only if you say so: at most 320 px, without the room. It trains models; labellers may see it.
- **You** are a random number in a cookie; the records hold only a hash of it.
- **After {days}** everything is deleted, or at once with the button below.
"""
    )
    comet_status.disclosure()
    with st.expander("Details"):
        st.markdown(
            """
- Place and date in a photo's metadata are dropped when it is read.
- The numbers include how sharp, large and turned the face was, and where its eyes, nose and mouth were.
- If you correct a mood whose picture was not kept, you are asked once whether the crop may be kept. Without a
  yes it is only in memory, and only while the page is open.
- Your answers are kept with the numbers. Some vibe checks, drawn at random, ask whether they were right: the
  accuracy is measured by these answers.
- The player is Spotify's: what you play there is between you and Spotify.
"""
        )
    delete_my_data.delete_my_data()
with st.container(key="card-model"):
    st.header("The model", anchor=False)
    model_status.summary(app.live_model())

app.end_page()
